-- Drives Neovim with the plugin through one session, and writes down what it saw as JSON.
local out, python, text_file = vim.env.SALISCOPE_SEEN, vim.env.SALISCOPE_PYTHON, vim.env.SALISCOPE_TEXT
local seen = {}

local function finish(err)
  seen.error = err
  local file = assert(io.open(out, "w"))
  file:write(vim.json.encode(seen))
  file:close()
  vim.cmd("qall!")
end

local function until_(what, ask)
  if not vim.wait(30000, ask, 20) then
    error("waited in vain until " .. what)
  end
end

local function run()
  vim.o.background = "dark"
  local saliscope = require("saliscope")
  local colours = require("saliscope.colours")
  saliscope.setup({
    cmd = { python, "-m", "tests.lsp.fake_server" },
    settings = { model = "fake", debounce = 1, method = "fake-method" },
  })
  vim.cmd("edit " .. text_file)
  vim.bo.filetype = "jsonl"
  local buf = vim.api.nvim_get_current_buf()
  until_("the colours are there", function()
    return #colours.spans(buf) == 2
  end)
  seen.first = colours.spans(buf)
  seen.ground = vim.api.nvim_get_hl(0, { name = "SaliscopeFor3" }).bg
  seen.encoding = saliscope.client(buf).offset_encoding
  until_("the state is known", function()
    return vim.g.saliscope_status == "connected"
  end)

  until_("the problems are there", function()
    return #vim.diagnostic.get(buf) > 0
  end)
  seen.problems = vim.tbl_map(function(one)
    return { one.code, one.lnum, one.severity }
  end, vim.diagnostic.get(buf))

  vim.fn.search("dull")
  local params = vim.lsp.util.make_position_params(0, seen.encoding)
  seen.hover = vim.lsp.buf_request_sync(buf, "textDocument/hover", params, 5000)
  for _, answer in pairs(seen.hover) do
    seen.hover = answer.result.contents.value
  end

  -- The window of a hover is Markdown, and no text of a person.
  vim.cmd("syntax on")
  local float, hover = vim.lsp.util.open_floating_preview({ "a dull film" }, "markdown", {})
  seen.float = { vim.bo[float].filetype, saliscope.client(float) ~= nil }
  vim.api.nvim_win_close(hover, true)

  -- Nobody asks for them: the plugin does.
  until_("the lenses are there", function()
    return #vim.lsp.codelens.get(buf) == 2
  end)
  seen.lenses = vim.tbl_map(function(lens)
    return lens.command.title
  end, vim.lsp.codelens.get(buf))

  -- Typing: marks move at once, and the new word gets its colour.
  vim.api.nvim_buf_set_lines(buf, 0, 0, false, { "", "" })
  seen.moved = colours.spans(buf)
  vim.cmd("%s/dull/bad/")
  until_("the new word is coloured", function()
    local spans = colours.spans(buf)
    return #spans == 2 and spans[1][1] == "bad"
  end)
  seen.typed = colours.spans(buf)

  local asked = false
  vim.fn.search("wonderful")
  saliscope.execute("mask", { vim.uri_from_bufnr(buf), saliscope.place(saliscope.client(buf)) }, function(_, got)
    seen.masked = got.word
    asked = true
  end)
  until_("the command is answered", function()
    return asked
  end)

  -- The numbers of a record, as `:Saliscope explain` and the run of a lens show them.
  local function window()
    return vim.tbl_filter(function(win)
      return vim.api.nvim_win_get_config(win).relative ~= ""
    end, vim.api.nvim_list_wins())[1]
  end
  vim.cmd("Saliscope compare occlusion")
  until_("the numbers are there", window)
  seen.numbers = vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window()), 0, -1, false)
  vim.api.nvim_win_close(window(), true)
  until_("the lens stands where its record stands now", function()
    return vim.tbl_contains(
      vim.tbl_map(function(lens)
        return lens.range.start.line
      end, vim.lsp.codelens.get(buf)),
      vim.fn.line(".") - 1
    )
  end)
  vim.lsp.codelens.run()
  until_("the lens shows the numbers too", window)
  vim.api.nvim_win_close(window(), true)

  -- An action of which the answer is meant for the person.
  vim.fn.setreg('"', "")
  vim.lsp.buf.code_action({
    filter = function(action)
      return action.title == "Copy the explanation as JSON"
    end,
    apply = true,
  })
  until_("the explanation is yanked", function()
    return vim.fn.getreg('"') ~= ""
  end)
  seen.yanked = vim.json.decode(vim.fn.getreg('"')).prediction.label

  -- Without a name there is a choice, and the first of it is the way back.
  local offered
  vim.ui.select = function(items, _, chosen)
    offered = items
    chosen(items[1])
  end
  vim.cmd("Saliscope target")
  until_("there is a choice", function()
    return offered
  end)
  seen.offered = offered
  seen.labels = vim.fn.getcompletion("Saliscope target p", "cmdline")

  vim.cmd("checkhealth saliscope")
  seen.health = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
  vim.cmd("bdelete")

  vim.cmd("helptags " .. vim.fn.fnameescape(vim.env.SALISCOPE_PLUGIN .. "/doc"))
  vim.cmd("help saliscope-commands")
  seen.help = vim.fn.expand("%:t")
  seen.commands = vim.fn.getcompletion("Saliscope ", "cmdline")
  seen.palettes = {}
  for name, themes in pairs(colours.palettes) do
    seen.palettes[name] = {}
    for theme, inks in pairs(themes) do
      seen.palettes[name][theme] = {}
      for bucket, ink in pairs(inks) do
        seen.palettes[name][theme][tostring(bucket)] = ink
      end
    end
  end
end

-- Another project has a server of its own, which leaves alone.
local function two_projects()
  local saliscope, colours = require("saliscope"), require("saliscope.colours")
  vim.cmd("edit " .. text_file)
  local first = vim.api.nvim_get_current_buf()
  vim.cmd("edit " .. vim.env.SALISCOPE_OTHER_TEXT)
  vim.bo.filetype = "jsonl"
  local second = vim.api.nvim_get_current_buf()
  until_("both are coloured", function()
    return #colours.spans(first) == 2 and #colours.spans(second) == 2
  end)
  local client = saliscope.client(second)
  seen.servers = client.id == saliscope.client(first).id and 1 or 2
  vim.lsp.stop_client(client.id)
  until_("its colours are gone", function()
    return #colours.spans(second) == 0
  end)
  seen.left = #colours.spans(first)
end

local ok, err = xpcall(function()
  run()
  two_projects()
end, debug.traceback)
finish(not ok and err or nil)
