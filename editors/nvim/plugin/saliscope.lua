-- :Saliscope {what}: see |saliscope-commands|.
if vim.g.loaded_saliscope then
  return
end
vim.g.loaded_saliscope = true

local function saliscope()
  return require("saliscope")
end

local function here()
  local client = saliscope().client()
  return vim.uri_from_bufnr(0), client and saliscope().place(client)
end

local function show(what)
  return function(err, result)
    if not err then
      vim.notify("saliscope: " .. what(result))
    end
  end
end

local commands = {
  start = function()
    saliscope().start()
  end,
  explain = function()
    local uri, place = here()
    saliscope().execute("explain", { uri, place }, show(function(got)
      return got.prediction.label .. ", by " .. got.explanation.method
    end))
  end,
  run = function()
    saliscope().execute("runFile", { (here()) }, show(function(got)
      return #got.records .. " records, " .. got.mispredicted .. " mispredicted"
    end))
  end,
  model = function(name)
    saliscope().execute("setModel", { (here()), name })
  end,
  method = function(name)
    saliscope().execute("setMethod", { (here()), name })
  end,
  target = function(name)
    saliscope().execute("setTarget", { (here()), name })
  end,
  compare = function(name)
    local uri, place = here()
    saliscope().execute("compare", { uri, place, name })
  end,
  mask = function()
    local uri, place = here()
    saliscope().execute("mask", { uri, place })
  end,
  json = function()
    local uri, place = here()
    saliscope().execute("copyJson", { uri, place }, function(err, got)
      if not err then
        vim.fn.setreg('"', vim.fn.json_encode(got))
      end
    end)
  end,
  cancel = function()
    saliscope().execute("cancel", {})
  end,
  restart = function()
    saliscope().execute("restartDaemon", {})
  end,
  status = function()
    saliscope().execute("status", {}, show(function(got)
      return vim.inspect(got)
    end))
  end,
}

vim.api.nvim_create_user_command("Saliscope", function(call)
  local name, argument = call.fargs[1], call.fargs[2]
  local command = commands[name]
  if command then
    command(argument)
  else
    vim.notify("saliscope: no command " .. name .. "; `:help saliscope-commands`", vim.log.levels.ERROR)
  end
end, {
  nargs = "+",
  desc = "Explain what a text model says of this buffer",
  complete = function(lead)
    local found = vim.tbl_filter(function(name)
      return vim.startswith(name, lead)
    end, vim.tbl_keys(commands))
    table.sort(found)
    return found
  end,
})
