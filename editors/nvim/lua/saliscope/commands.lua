-- What `:Saliscope` does, and what it offers.
local M = {}

local AS_SET = "(as the settings say)"

local function saliscope()
  return require("saliscope")
end

local function here()
  local client = saliscope().client()
  return vim.uri_from_bufnr(0), client and saliscope().place(client)
end

local function said(what)
  return function(err, got)
    if not err then
      vim.notify("saliscope: " .. what(got))
    end
  end
end

-- Show what `explain` answered: of one record all numbers, of a buffer how many records there are.
function M.show(err, got)
  if err then
    return
  end
  if got.explanation then
    require("saliscope.numbers").show(got)
  else
    vim.notify(("saliscope: %d records, %d mispredicted"):format(#got.records, got.mispredicted))
  end
end

function M.yank(err, got)
  if not err then
    vim.fn.setreg('"', vim.fn.json_encode(got))
    vim.notify("saliscope: the explanation is yanked")
  end
end

local function names(found)
  return vim.tbl_map(function(one)
    return one.name
  end, found or {})
end

-- What may be chosen, given to `use` when the server has answered.
local offered = {
  model = function(use)
    saliscope().execute("models", {}, function(err, found)
      use(err and {} or names(found))
    end)
  end,
  method = function(use)
    saliscope().execute("methods", {}, function(err, found)
      use(err and {} or names(found))
    end)
  end,
  target = function(use)
    saliscope().execute("record", { here() }, function(err, found)
      local likely = not err and type(found) == "table" and found.prediction
      local labels = type(likely) == "table" and vim.tbl_keys(likely.probabilities) or {}
      table.sort(labels)
      use(labels)
    end)
  end,
}
offered.compare = offered.method

-- A command that takes a name, and asks for it where none is given.
local function choosing(what, use)
  return function(name)
    if name then
      use(name)
      return
    end
    offered[what](function(found)
      if what ~= "compare" then
        table.insert(found, 1, AS_SET)
      end
      vim.ui.select(found, { prompt = "saliscope: " .. what }, function(chosen)
        if chosen then
          use(chosen)
        end
      end)
    end)
  end
end

local function setting(what)
  local command = "set" .. what:sub(1, 1):upper() .. what:sub(2)
  return choosing(what, function(name)
    saliscope().execute(command, { vim.uri_from_bufnr(0), name ~= AS_SET and name or vim.NIL })
  end)
end

M.commands = {
  start = function()
    saliscope().start()
  end,
  explain = function()
    saliscope().execute("explain", { here() }, M.show)
  end,
  run = function()
    saliscope().execute("runFile", { (here()) }, M.show)
  end,
  model = setting("model"),
  method = setting("method"),
  target = setting("target"),
  compare = choosing("compare", function(name)
    local uri, place = here()
    saliscope().execute("compare", { uri, place, name }, function(err)
      if not err then
        saliscope().execute("record", { uri, place }, M.show)
      end
    end)
  end),
  mask = function()
    saliscope().execute("mask", { here() })
  end,
  json = function()
    saliscope().execute("copyJson", { here() }, M.yank)
  end,
  cancel = function()
    saliscope().execute("cancel", {})
  end,
  restart = function()
    saliscope().execute("restartDaemon", {})
  end,
  status = function()
    saliscope().execute("status", {}, said(vim.inspect))
  end,
}

function M.run(name, argument)
  local command = M.commands[name]
  if command then
    command(argument)
  else
    vim.notify("saliscope: no command " .. name .. "; `:help saliscope-commands`", vim.log.levels.ERROR)
  end
end

-- Commands; behind one that takes a name, what there is of it.
function M.complete(lead, line)
  local found = vim.tbl_keys(M.commands)
  local name = line:match("^%S+%s+(%S+)%s")
  if name then
    found = {}
    if offered[name] and saliscope().client() then
      local is_there = false
      offered[name](function(got)
        found, is_there = got, true
      end)
      vim.wait(1000, function()
        return is_there
      end, 10)
    end
  end
  found = vim.tbl_filter(function(one)
    return vim.startswith(one, lead)
  end, found)
  table.sort(found)
  return found
end

return M
