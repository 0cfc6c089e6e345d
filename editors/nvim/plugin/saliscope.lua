-- :Saliscope {what}: see |saliscope-commands|.
if vim.g.loaded_saliscope then
  return
end
vim.g.loaded_saliscope = true

vim.api.nvim_create_user_command("Saliscope", function(call)
  require("saliscope.commands").run(call.fargs[1], call.fargs[2])
end, {
  nargs = "+",
  desc = "Explain what a text model says of this buffer",
  complete = function(lead, line)
    return require("saliscope.commands").complete(lead, line)
  end,
})
