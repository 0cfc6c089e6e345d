-- saliscope in Neovim: a language server, its colours as extmarks, and a command.
local colours = require("saliscope.colours")

local M = {}

M.options = {
  cmd = { "saliscope", "lsp" },
  filetypes = { "text", "markdown", "json", "jsonl", "csv", "tsv", "yaml", "prompt" },
  -- What `saliscope.*` settings say; `:help saliscope-settings`.
  settings = {},
  palette = "blue-orange",
  -- Show the prediction of each record behind its first line, and keep it up to date.
  lenses = true,
  -- Tell the server where the caret rests, so that what is there is explained first.
  focus = true,
}

-- The client of a buffer; nil without one.
function M.client(buf)
  buf = buf or vim.api.nvim_get_current_buf()
  if vim.lsp.get_clients then
    return vim.lsp.get_clients({ bufnr = buf, name = "saliscope" })[1]
  end
  -- Up to 0.9 there is no such filter, or only half of it.
  for _, client in pairs(vim.lsp.buf_get_clients(buf)) do
    if client.name == "saliscope" then
      return client
    end
  end
end

local function notify(client, method, params)
  if vim.fn.has("nvim-0.11") == 1 then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

-- Run a command of the server; `done(error, result)` hears what it answers.
function M.execute(name, arguments, done, buf)
  local client = M.client(buf)
  if not client then
    vim.notify("saliscope: no server for this buffer; `:checkhealth saliscope` says why", vim.log.levels.WARN)
    return
  end
  local params = { command = "saliscope." .. name, arguments = arguments }
  local function answered(err, result)
    if err then
      vim.notify("saliscope: " .. err.message, vim.log.levels.ERROR)
    end
    if done then
      done(err, result)
    end
  end
  if vim.fn.has("nvim-0.11") == 1 then
    client:request("workspace/executeCommand", params, answered, buf or 0)
  else
    client.request("workspace/executeCommand", params, answered, buf or 0)
  end
end

-- The same at once, for what cannot wait: the answer, or nil when there is none within a second.
function M.ask(name, arguments, buf)
  local client = M.client(buf)
  local params = { command = "saliscope." .. name, arguments = arguments }
  local answer
  if vim.fn.has("nvim-0.11") == 1 then
    answer = client and client:request_sync("workspace/executeCommand", params, 1000, buf)
  else
    answer = client and client.request_sync("workspace/executeCommand", params, 1000, buf)
  end
  return answer and answer.result
end

-- Where the caret is, in the columns of the server.
function M.place(client)
  local window = vim.api.nvim_get_current_win()
  return vim.lsp.util.make_position_params(window, client.offset_encoding).position
end

-- The buffer that is called so; `vim.uri_to_bufnr` would make a new one for a buffer without a name.
local function buffer_of(uri)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.uri_from_bufnr(buf) == uri and M.client(buf) then
      return buf
    end
  end
end

local function decorations(_, told, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if not client or not told then
    return
  end
  local buf = buffer_of(told.uri)
  if not buf or colours.draw(buf, told, client) then
    return
  end
  -- The text has moved on: ask for these records again when the typing pauses.
  local ids = vim.NIL
  if not told.reset then
    ids = vim.list_extend({}, told.removed)
    for _, record in ipairs(told.records) do
      ids[#ids + 1] = record.id
    end
  end
  vim.defer_fn(function()
    if vim.api.nvim_buf_is_valid(buf) and M.client(buf) then
      M.execute("decorations", { told.uri, ids }, nil, buf)
    end
  end, 200)
end

-- Draw lenses again, once for many reasons to.
local waits = {}

local function draw_lenses(buf)
  if waits[buf] then
    return
  end
  waits[buf] = true
  vim.defer_fn(function()
    waits[buf] = nil
    if M.options.lenses and vim.api.nvim_buf_is_loaded(buf) and M.client(buf) then
      -- Neovim 0.7 draws those of the current buffer.
      vim.api.nvim_buf_call(buf, function()
        vim.lsp.codelens.refresh({ bufnr = buf })
      end)
    end
  end, 100)
end

local function lenses(_, _, context)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local client = M.client(buf)
    if client and client.id == context.client_id then
      draw_lenses(buf)
    end
  end
  return vim.NIL
end

local function status(_, told)
  vim.g.saliscope_status = told and told.state or ""
  vim.cmd("redrawstatus")
end

local function capabilities()
  local own = vim.lsp.protocol.make_client_capabilities()
  own.experimental = vim.tbl_extend("force", own.experimental or {}, {
    saliscope = { decorations = true, status = true },
  })
  own.workspace.codeLens = { refreshSupport = M.options.lenses }
  return own
end

-- One server for a project, not for each of its folders: files of all folders share a process.
local function root(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  local start = name ~= "" and vim.fn.fnamemodify(name, ":p:h") or vim.fn.getcwd()
  local upward = vim.fn.escape(start, " ") .. ";"
  for _, found in ipairs({
    vim.fn.findfile("saliscope.toml", upward),
    -- A file in a worktree or a submodule, else a folder.
    vim.fn.findfile(".git", upward),
    vim.fn.finddir(".git", upward),
  }) do
    if found ~= "" then
      return vim.fn.fnamemodify(found, ":p"):gsub("/+$", ""):match("^(.*)/[^/]*$")
    end
  end
  local here = vim.fn.getcwd()
  return vim.startswith(start .. "/", here .. "/") and here or start
end

local function configuration(buf)
  return {
    name = "saliscope",
    cmd = M.options.cmd,
    root_dir = root(buf),
    capabilities = capabilities(),
    -- Colours come as extmarks; as semantic tokens they would come twice.
    init_options = { saliscope = vim.tbl_extend("keep", M.options.settings, { semanticTokens = false }) },
    handlers = {
      ["saliscope/decorations"] = decorations,
      ["saliscope/status"] = status,
      ["workspace/codeLens/refresh"] = lenses,
    },
    -- What a lens or an action runs is shown as `:Saliscope` shows it.
    commands = {
      ["saliscope.explain"] = function(command)
        M.execute("explain", command.arguments, require("saliscope.commands").show)
      end,
      ["saliscope.copyJson"] = function(command)
        M.execute("copyJson", command.arguments, require("saliscope.commands").yank)
      end,
    },
    on_exit = function(_, _, client_id)
      M._id = nil
      vim.schedule(function()
        colours.clear_of(client_id)
      end)
    end,
  }
end

-- Start the server for a buffer, or join it to the one that runs.
function M.start(buf)
  buf = buf or vim.api.nvim_get_current_buf()
  local config = configuration(buf)
  if vim.lsp.start then
    return vim.lsp.start(config, { bufnr = buf })
  end
  -- Neovim 0.7: one server for all buffers.
  M._id = M._id or vim.lsp.start_client(config)
  vim.lsp.buf_attach_client(buf, M._id)
  return M._id
end

function M.setup(options)
  M.options = vim.tbl_deep_extend("force", M.options, options or {})
  colours.define(M.options.palette)
  local group = vim.api.nvim_create_augroup("saliscope", { clear = true })
  vim.api.nvim_create_autocmd("FileType", {
    group = group,
    pattern = M.options.filetypes,
    callback = function(event)
      -- Not those of plugins and of Neovim itself: a hover is Markdown too.
      if vim.bo[event.buf].buftype == "" then
        M.start(event.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd("ColorScheme", {
    group = group,
    callback = function()
      colours.define(M.options.palette)
    end,
  })
  vim.api.nvim_create_autocmd("BufUnload", {
    group = group,
    callback = function(event)
      colours.clear(event.buf)
    end,
  })
  -- Neovim remembers the lines of lenses, and does not move them with the text.
  vim.api.nvim_create_autocmd({ "TextChanged", "InsertLeave" }, {
    group = group,
    callback = function(event)
      if M.client(event.buf) then
        draw_lenses(event.buf)
      end
    end,
  })
  vim.api.nvim_create_autocmd({ "CursorHold", "CursorHoldI" }, {
    group = group,
    callback = function(event)
      local client = M.options.focus and M.client(event.buf)
      if client then
        notify(client, "saliscope/focus", { uri = vim.uri_from_bufnr(event.buf), position = M.place(client) })
      end
    end,
  })
end

return M
