-- All numbers of the record under the caret, in a floating window.
local M = {}

local BAR = 24

local function width(text)
  return vim.fn.strdisplaywidth(text)
end

local function padded(text, columns)
  return text .. (" "):rep(columns - width(text))
end

local function signed(score, is_signed)
  return (is_signed and "%+.3f" or "%.3f"):format(score)
end

-- Index of each feature, the strongest first.
local function strongest(scores)
  local order = {}
  for index = 1, #scores do
    order[index] = index
  end
  table.sort(order, function(a, b)
    local left, right = math.abs(scores[a]), math.abs(scores[b])
    return left == right and a < b or left > right
  end)
  return order
end

local function head(got)
  local likely = got.prediction
  local share = likely.probabilities[likely.label]
  local parts = { share and ("%s %.2f"):format(likely.label, share) or likely.label }
  if got.label ~= vim.NIL and got.label ~= nil then
    parts[#parts + 1] = "label " .. tostring(got.label)
  end
  local found = got.explanation
  local aim = found.target.label
  if type(found.target.against) == "string" then
    aim = aim .. " against " .. found.target.against
  end
  return table.concat(parts, " · "), ("%s · %s · for %s"):format(found.model, found.method, aim)
end

-- The lines of the window, and where words for and against stand in them: { line, start, stop, bucket }, from 0.
function M.lines(got)
  local found = got.explanation
  local first, second = head(got)
  local lines, marks = { first, second, "" }, {}
  local longest, peak = 0, 0
  for index, feature in ipairs(found.features) do
    longest = math.max(longest, width(vim.trim(feature.text)))
    peak = math.max(peak, math.abs(found.scores[index]))
  end
  local others = vim.tbl_keys(got.compared or {})
  table.sort(others)
  if #others > 0 then
    lines[3] = padded("", longest) .. "  " .. table.concat({ found.method, unpack(others) }, "  ")
  end
  for rank, index in ipairs(strongest(found.scores)) do
    local score = found.scores[index]
    local word = padded(vim.trim(found.features[index].text:gsub("%s+", " ")), longest)
    local numbers = { padded(signed(score, found.signed), 8) }
    for _, name in ipairs(others) do
      numbers[#numbers + 1] = padded(signed(got.compared[name][index] or 0, found.signed), math.max(8, width(name)))
    end
    local text = ("%s  %s  %3d  "):format(word, table.concat(numbers, "  "), rank)
    local size = peak > 0 and math.floor(BAR * math.abs(score) / peak + 0.5) or 0
    lines[#lines + 1] = text .. (" "):rep(size)
    if size > 0 then
      marks[#marks + 1] = { #lines - 1, #text, #text + size, score < 0 and -3 or 3 }
    end
  end
  return lines, marks
end

-- Show what `saliscope.explain` answered.
function M.show(got)
  local colours = require("saliscope.colours")
  local lines, marks = M.lines(got)
  local buf, win = vim.lsp.util.open_floating_preview(lines, "", { border = "rounded", focus_id = "saliscope", wrap = false })
  for _, mark in ipairs(marks) do
    vim.api.nvim_buf_add_highlight(buf, -1, colours.group(mark[4]), mark[1], mark[2], mark[3])
  end
  return win
end

return M
