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
      found[#found + 1] = vim.api.nvim_buf_get_name(buf)
    end
  end
  if #found == 0 then
    warn("no buffer has a server; open a file of one of these types: " .. table.concat(saliscope.options.filetypes, ", "))
  else
    ok("serves " .. table.concat(found, ", "))
  end
  if not saliscope.options.settings.model then
    warn("no model is chosen in `settings`; a saliscope.toml may name one")
  end
  local state = vim.g.saliscope_status
  if state == "connected" then
    ok("the daemon is connected")
  elseif state then
    warn("the daemon is " .. state .. "; `saliscope doctor` says more")
  end
end

return M
