-- Drives Neovim, from 0.7 on, with a real daemon, and writes down what it saw as JSON.
local seen = {}

local function until_(what, ask)
  if not vim.wait(120000, ask, 20) then
    error("waited in vain until " .. what)
  end
end

local function run()
  vim.o.background = "dark"
  local saliscope, colours = require("saliscope"), require("saliscope.colours")
  saliscope.setup({
    cmd = { vim.env.SALISCOPE_PYTHON, "-m", "saliscope.cli", "lsp" },
    settings = { model = "demo-encoder", method = "occlusion", granularity = "word" },
  })
  vim.cmd("edit " .. vim.env.SALISCOPE_TEXT)
  vim.bo.filetype = "jsonl"
  local buf = vim.api.nvim_get_current_buf()
  local function group(word)
    for _, span in ipairs(colours.spans(buf)) do
      if span[1] == word then
        return span[2]
      end
    end
  end
  local done = false
  local function run_file()
    done = false
    saliscope.execute("runFile", { vim.uri_from_bufnr(buf) }, function(_, got)
      seen.records, done = #got.records, true
    end)
    until_("the command is answered", function()
      return done
    end)
  end
  until_("the server is there", function()
    return vim.g.saliscope_status == "connected"
  end)
  run_file()
  until_("words are coloured", function()
    return (group("lifeless") or ""):find("Against") and group("boring") == "SaliscopeFor3" and group("charming")
  end)
  local client = saliscope.client(buf)
  seen.version, seen.encoding = vim.version().minor, client.offset_encoding
  seen.spans = colours.spans(buf)

  until_("the problem is there", function()
    return #vim.diagnostic.get(buf) > 0
  end)
  seen.problems = {}
  for _, one in ipairs(vim.diagnostic.get(buf)) do
    table.insert(seen.problems, { one.lnum, one.severity, one.message })
  end

  vim.fn.search("lifeless")
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  for _, answer in pairs(vim.lsp.buf_request_sync(buf, "textDocument/hover", params, 10000)) do
    seen.hover = answer.result.contents.value
  end
  for _, answer in
    pairs(vim.lsp.buf_request_sync(buf, "textDocument/codeLens", { textDocument = params.textDocument }, 10000))
  do
    seen.lenses = vim.tbl_map(function(lens)
      return lens.command.title
    end, answer.result)
  end
  -- The line that is drawn, not only what was answered; nobody asks for it but the plugin.
  until_("a lens is drawn", function()
    for _, namespace in pairs(vim.api.nvim_get_namespaces()) do
      for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { details = true })) do
        local text = mark[4].virt_text and mark[4].virt_text[1] and mark[4].virt_text[1][1]
        if text and text:find("label positive") then
          seen.drawn = text
          return true
        end
      end
    end
  end)

  vim.api.nvim_buf_set_lines(buf, 0, 0, false, { "" })
  seen.moved = colours.spans(buf)
  vim.cmd("%s/slow/boring/")
  until_("the new word is coloured", function()
    local found, stale = 0, false
    for _, span in ipairs(colours.spans(buf)) do
      found = found + (span[1] == "boring" and span[2] == "SaliscopeFor3" and 1 or 0)
      stale = stale or span[2] == "SaliscopeStale"
    end
    return found == 2 and not stale
  end)
  seen.typed = colours.spans(buf)

  run_file()
  vim.cmd("checkhealth saliscope")
  seen.health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
end

local ok, err = xpcall(run, debug.traceback)
if not ok then
  seen.error = err
end
local file = assert(io.open(vim.env.SALISCOPE_SEEN, "w"))
file:write(vim.json.encode(seen))
file:close()
vim.cmd("qall!")
