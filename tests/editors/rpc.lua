-- Asks a daemon directly, and writes down what it answered.
local out, path = vim.env.SALISCOPE_SEEN, vim.env.SALISCOPE_SOCKET
local seen, done = { partials = 0 }, false

require("saliscope.rpc").connect(path, function(err, client)
  if err then
    seen.error, done = vim.inspect(err), true
    return
  end
  client:call("explain", { text = "partials 3", stream = true }, function(failure, got)
    seen.scores = failure and failure or #got.scores
    local id = client:call("explain", { text = "hang" }, function(refused)
      seen.cancelled = refused and refused[1]
      client:close()
      done = true
    end)
    client:cancel(id)
  end, function()
    seen.partials = seen.partials + 1
  end)
end)
vim.wait(30000, function()
  return done
end, 10)
local file = assert(io.open(out, "w"))
file:write(vim.json.encode(seen))
file:close()
vim.cmd("qall!")
