-- The daemon without a language server: MessagePack-RPC over its socket, with partial answers and cancel.
--
--   local client = require("saliscope.rpc").connect(path, function(err, client) … end)
--   local id = client:call("explain", { text = "…", stream = true }, on_done, on_partial)
--   client:cancel(id)
local uv = vim.uv or vim.loop

local Client = {}
Client.__index = Client

local M = {}

-- Where the daemon of this user listens; starts it if need be.
function M.path(command)
  vim.fn.system({ command or "saliscope", "daemon", "start" })
  return vim.fn.json_decode(vim.fn.system({ command or "saliscope", "status", "--json" })).socket
end

-- Connect; `ready(error, client)` is called once. Callbacks run where the API of Neovim may be used.
function M.connect(path, ready)
  local self = setmetatable({ pipe = uv.new_pipe(false), last = 0, done = {}, partial = {} }, Client)
  self.unpack = vim.mpack.Unpacker()
  self.pipe:connect(path, function(err)
    if err then
      self.pipe:close()
      vim.schedule(function()
        ready(err)
      end)
      return
    end
    self.pipe:read_start(function(failure, data)
      self:_read(failure, data)
    end)
    local wishes = { client = "nvim", notifications = true }
    self:call("initialize", wishes, function(problem)
      ready(problem, self)
    end)
  end)
  return self
end

-- Ask; `done(error, result)`, `partial(explanation)` for estimates on the way. The id is for `cancel`.
function Client:call(method, params, done, partial)
  self.last = self.last + 1
  self.done[self.last], self.partial[self.last] = done, partial
  self.pipe:write(vim.mpack.encode({ 0, self.last, method, { params } }))
  return self.last
end

-- Ask for the end of a request; it is answered with an error.
function Client:cancel(id)
  self.pipe:write(vim.mpack.encode({ 2, "$/cancel", { { id = id } } }))
end

function Client:close()
  if not self.pipe:is_closing() then
    self.pipe:close()
  end
  self:_fail("closed")
end

function Client:_fail(reason)
  local waiting = self.done
  self.done, self.partial = {}, {}
  for _, done in pairs(waiting) do
    vim.schedule(function()
      done({ "unavailable", reason, {} })
    end)
  end
end

function Client:_read(failure, data)
  if failure or not data then
    self:close()
    return
  end
  local position = 1
  while position <= #data do
    local message
    message, position = self.unpack(data, position)
    if message then
      self:_take(message)
    end
  end
end

function Client:_take(message)
  if message[1] == 1 then
    local id = message[2]
    local done = self.done[id]
    self.done[id], self.partial[id] = nil, nil
    local err = message[3] ~= vim.NIL and message[3] or nil
    if done then
      vim.schedule(function()
        done(err, message[4])
      end)
    end
  elseif message[1] == 2 and message[2] == "explain/partial" then
    local told = message[3][1]
    local partial = self.partial[told.id]
    if partial then
      vim.schedule(function()
        partial(told.explanation)
      end)
    end
  end
end

return M
