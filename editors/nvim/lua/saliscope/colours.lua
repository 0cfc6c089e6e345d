-- Scores as extmarks, record by record; between two messages they move with the text.
local M = {}

local namespace = vim.api.nvim_create_namespace("saliscope")
-- buffer -> { by = id of the client that told of it, marks = { id of a record -> ids of its extmarks } }
local drawn = {}

-- The palettes of `saliscope explain`: bucket -> { ground, text }.
M.palettes = {
  ["blue-orange"] = {
    light = {
      [-3] = { "#b85000", "#ffffff" }, [-2] = { "#f6b26b", "#0a121b" }, [-1] = { "#fde6cf", "#0a121b" },
      [1] = { "#d8e8f8", "#0a121b" }, [2] = { "#90bfec", "#0a121b" }, [3] = { "#1c66ac", "#ffffff" },
    },
    dark = {
      [-3] = { "#ffad61", "#0a121b" }, [-2] = { "#a0500f", "#ffffff" }, [-1] = { "#46290f", "#f6e4d2" },
      [1] = { "#15324e", "#dcebfa" }, [2] = { "#1f62a4", "#ffffff" }, [3] = { "#74bcff", "#0a121b" },
    },
  },
  ["red-green"] = {
    light = {
      [-3] = { "#b3261e", "#ffffff" }, [-2] = { "#f29b94", "#0a121b" }, [-1] = { "#fbe0de", "#0a121b" },
      [1] = { "#d9f0dc", "#0a121b" }, [2] = { "#86cf93", "#0a121b" }, [3] = { "#1f7a37", "#ffffff" },
    },
    dark = {
      [-3] = { "#ff8b82", "#0a121b" }, [-2] = { "#a3302a", "#ffffff" }, [-1] = { "#47201e", "#f8dedc" },
      [1] = { "#173a22", "#daf3df" }, [2] = { "#216e36", "#ffffff" }, [3] = { "#6fdc8c", "#0a121b" },
    },
  },
}

-- The highlight group of a bucket, -3 to 3 without 0.
function M.group(bucket)
  return "Saliscope" .. (bucket > 0 and "For" or "Against") .. math.abs(bucket)
end

-- Define the groups for the background of now; a colour scheme may define them first.
function M.define(palette)
  local inks = (M.palettes[palette] or M.palettes["blue-orange"])[vim.o.background == "light" and "light" or "dark"]
  for bucket, ink in pairs(inks) do
    vim.api.nvim_set_hl(0, M.group(bucket), { bg = ink[1], fg = ink[2], default = true })
  end
  vim.api.nvim_set_hl(0, "SaliscopeStale", { underline = true, default = true })
end

local function byte(buf, line, column, encoding)
  if encoding == "utf-8" then
    return column
  end
  local text = vim.api.nvim_buf_get_lines(buf, line, line + 1, false)[1] or ""
  local ok, at = pcall(vim.str_byteindex, text, column, encoding == "utf-16")
  return ok and at or #text
end

local function erase(buf, id)
  local marks = drawn[buf].marks
  for _, mark in ipairs(marks[id] or {}) do
    vim.api.nvim_buf_del_extmark(buf, namespace, mark)
  end
  marks[id] = nil
end

-- The extmarks of a record: a word of one that is stale keeps its colour, and has another mark above it.
local function draw(buf, record, encoding)
  local marks = {}
  for _, token in ipairs(record.tokens) do
    local line = token[1]
    local from, to = byte(buf, line, token[2], encoding), byte(buf, line, token[3], encoding)
    -- Above the ground (200) that a hover puts under its word, on which the text of a strong one could not be read.
    for priority, group in pairs({ [210] = M.group(token[4]), [211] = record.stale and "SaliscopeStale" or nil }) do
      local look = { end_row = line, end_col = to, hl_group = group, priority = priority }
      local ok, mark = pcall(vim.api.nvim_buf_set_extmark, buf, namespace, line, from, look)
      if ok then
        marks[#marks + 1] = mark
      end
    end
  end
  return marks
end

-- Draw what `saliscope/decorations` of a client tells; false where the buffer has another text by now.
function M.draw(buf, told, client)
  if not vim.api.nvim_buf_is_loaded(buf) then
    return true
  end
  if vim.lsp.util.buf_versions[buf] ~= told.version then
    return false
  end
  if told.reset or not drawn[buf] then
    M.clear(buf)
    drawn[buf] = { marks = {} }
  end
  drawn[buf].by = client.id
  for _, id in ipairs(told.removed) do
    erase(buf, id)
  end
  for _, record in ipairs(told.records) do
    erase(buf, record.id)
    drawn[buf].marks[record.id] = draw(buf, record, client.offset_encoding)
  end
  return true
end

-- What is coloured now: { { text, group }, … } in order of place.
function M.spans(buf)
  local found = {}
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, namespace, 0, -1, { details = true })) do
    local row, column, details = mark[2], mark[3], mark[4]
    local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1]
    found[#found + 1] = { line:sub(column + 1, details.end_col), details.hl_group }
  end
  return found
end

function M.clear(buf)
  drawn[buf] = nil
  if vim.api.nvim_buf_is_valid(buf) then
    vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

-- Take away what a client has told of; another one may still run.
function M.clear_of(client_id)
  for buf, one in pairs(drawn) do
    if one.by == client_id then
      M.clear(buf)
    end
  end
end

return M
