// SPDX-License-Identifier: BSD-3-Clause
#include "base/suggestion.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace vitrify {

namespace {

std::string lower(std::string text)
{
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Letters to insert or delete; a letter that is replaced counts twice.
std::size_t edits(const std::string &a, const std::string &b)
{
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 2 : 0);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}    // namespace

std::string did_you_mean(const std::string &given, const std::vector<std::string> &choices)
{
  const std::string *best = nullptr;
  std::size_t least = 0;
  for (const std::string &choice : choices) {
    const std::size_t distance = edits(lower(given), lower(choice));
    const std::size_t allowed = (given.size() + choice.size()) * 2 / 5;
    if (distance <= allowed && (!best || distance < least)) {
      best = &choice;
      least = distance;
    }
  }
  return best ? " (did you mean " + *best + "?)" : "";
}

std::string joined(const std::vector<std::string> &words, const char *separator)
{
  std::string text;
  for (const std::string &word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

}    // namespace vitrify
