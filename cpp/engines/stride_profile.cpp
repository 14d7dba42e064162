// SPDX-License-Identifier: BSD-3-Clause
#include "engines/stride_profile.h"

#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace vitrify {

namespace {

bool asked_for()
{
  const char *wanted = std::getenv("VITRIFY_PROFILE");
  return wanted && !std::strcmp(wanted, "1");
}

}    // namespace

StrideProfile::StrideProfile(int stages) :
    on_(asked_for()), last_(Clock::now()), seconds_(static_cast<std::size_t>(FIRST_STAGE + stages), 0.0)
{
}

void StrideProfile::add(int phase)
{
  const Clock::time_point now = Clock::now();
  // What the host did before the first prediction is not a part of a stride.
  if (phase != HOST || strides_ > 0)
    seconds_[static_cast<std::size_t>(phase)] += std::chrono::duration<double>(now - last_).count();
  last_ = now;
}

void StrideProfile::end_stride(std::int64_t atoms, std::int64_t pairs)
{
  if (!on_) return;
  ++strides_;
  atoms_ += static_cast<double>(atoms);
  pairs_ += static_cast<double>(pairs);
}

std::string StrideProfile::report()
{
  if (!on_ || !(atoms_ > 0.0)) return "";
  const auto share = [this](int phase) {
    return " " + number(1e6 * seconds_[static_cast<std::size_t>(phase)] / atoms_, 6);
  };
  double all = 0.0;
  for (const double one : seconds_) all += one;
  std::string line = "us for each atom and stride: search" + share(SEARCH) + ", stages";
  for (std::size_t phase = FIRST_STAGE; phase < seconds_.size(); ++phase) line += share(static_cast<int>(phase));
  line += ", update" + share(UPDATE) + ", exchange" + share(EXCHANGE) + ", host" + share(HOST);
  line += ", all " + number(1e6 * all / atoms_, 6) + "; " + number(pairs_ / atoms_) + " pairs for each atom, " +
          std::to_string(strides_) + " strides";
  std::fill(seconds_.begin(), seconds_.end(), 0.0);
  atoms_ = pairs_ = 0.0;
  strides_ = 0;
  return line;
}

}    // namespace vitrify
