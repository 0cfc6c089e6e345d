-- :checkhealth saliscope
local M = {}

local health = vim.health or {}
local start = health.start or require("health").report_start
local ok = health.ok or require("health").report_ok
local warn = health.warn or require("health").report_warn
local err = health.error or require("health").report_error

function M.check()
  local saliscope = require("saliscope")
  start("saliscope")
  if vim.fn.has("nvim-0.7") == 0 then
    err("Neovim 0.7 or newer is needed")
    return
  end
  ok("Neovim " .. tostring(vim.version().major) .. "." .. tostring(vim.version().minor))
  local command = saliscope.options.cmd[1]
  if vim.fn.executable(command) == 0 then
    err(command .. " is not in the PATH; `pip install saliscope`, or set `cmd`")
    return
  end
  ok(command .. " is " .. vim.fn.exepath(command))
  local found = {}
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if saliscope.client(buf) then
      found[#found + 1] = buf
    end
  end
  if #found == 0 then
    warn("no buffer has a server; open a file of one of these types: " .. table.concat(saliscope.options.filetypes, ", "))
  end
  for _, buf in ipairs(found) do
    local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ":~:.")
    local told = saliscope.ask("document", { vim.uri_from_bufnr(buf) }, buf)
    if not told or told == vim.NIL then
      warn((name ~= "" and name or "a buffer") .. " has a server, which does not answer")
    elseif type(told.problem) == "table" then
      warn((name ~= "" and name or "a buffer") .. ": " .. told.problem.message)
    else
      local counts = ("%d of %d records explained by %s"):format(told.explained, told.explainable, told.model)
      ok((name ~= "" and name or "a buffer") .. ": " .. counts)
    end
  end
  local state = vim.g.saliscope_status
  if state == "connected" then
    ok("the daemon is connected")
  elseif state == "idle" then
    ok("the daemon starts with the first document that is explained")
  elseif state then
    warn("the daemon is " .. state .. "; `saliscope doctor` says more")
  end
end

return M
