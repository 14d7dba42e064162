// SPDX-License-Identifier: BSD-3-Clause
#include "base/text.h"

#include <locale>
#include <sstream>

namespace vitrify {

std::string number(double value, int digits)
{
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  stream.precision(digits);
  stream << value;
  return stream.str();
}

std::string number_beside(double value, double one, double other)
{
  constexpr int MOST_DIGITS = 12;
  int digits = 4;
  const auto is_like = [&](double limit) { return number(value, digits) == number(limit) && value != limit; };
  while (digits < MOST_DIGITS && (is_like(one) || is_like(other))) ++digits;
  return number(value, digits);
}

}    // namespace vitrify
