// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/strict_json.h"

#include "base/error.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

namespace vitrify {

namespace {

constexpr int MAX_DEPTH = 64;

}    // namespace

json parse_json(std::string_view text)
{
  if (text.find('\0') != std::string_view::npos) throw Error("it holds a NUL, where some readers stop");
  std::vector<std::set<std::string>> keys;    // of each object that is open
  const auto check = [&keys](int depth, json::parse_event_t event, json &value) {
    if (depth > MAX_DEPTH) throw Error("values are nested deeper than " + std::to_string(MAX_DEPTH));
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw Error("the key \"" + value.get<std::string>() + "\" stands there twice");
    return true;
  };
  return json::parse(text, check);
}

int whole_number(const json &value, const char *name, int least, int most)
{
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(number >= least && number <= most) || number != std::floor(number))
    throw Error(std::string(name) + " is " + value.dump().substr(0, 40) + ", not a whole number from " +
                std::to_string(least) + " to " + std::to_string(most));
  return static_cast<int>(number);
}

}    // namespace vitrify
