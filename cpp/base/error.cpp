// SPDX-License-Identifier: BSD-3-Clause
#include "base/error.h"

#include <cstddef>
#include <cstdint>

namespace vitrify {

namespace {

// Bytes of the UTF-8 character that begins at text[at], 0 if there is none; `point` becomes its code point.
std::size_t character(const std::string &text, std::size_t at, std::uint32_t &point)
{
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length == 0 || first > 0xf4 || at + length > text.size()) return 0;
  point = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    const auto next = static_cast<unsigned char>(text[at + k]);
    if ((next & 0xc0U) != 0x80U) return 0;
    point = (point << 6) | (next & 0x3fU);
  }
  constexpr std::uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < LEAST[length] || point > 0x10ffff || surrogate ? 0 : length;
}

// Characters that move the cursor, end a line or turn the direction of a text, and so could forge what a terminal
// shows.
bool is_control(std::uint32_t point)
{
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200b && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x2069) || point == 0xfeff;
}

}    // namespace

std::string printable(const std::string &text)
{
  constexpr const char *DIGITS = "0123456789abcdef";
  std::string found;
  for (std::size_t at = 0; at < text.size();) {
    std::uint32_t point = 0;
    const std::size_t length = character(text, at, point);
    const std::size_t taken = length == 0 ? 1 : length;
    if (length == 0 || is_control(point))
      for (std::size_t k = at; k < at + taken; ++k) {
        const auto byte = static_cast<unsigned char>(text[k]);
        found += "\\x";
        found += DIGITS[byte >> 4];
        found += DIGITS[byte & 0xf];
      }
    else
      found += text.substr(at, length);
    at += taken;
  }
  return found;
}

}    // namespace vitrify
