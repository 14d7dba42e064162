// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace vitrify {

/// Where the time of a prediction goes, if VITRIFY_PROFILE is 1. An engine says where a phase ends, and what came
/// before belongs to that phase. Otherwise nothing is measured.
class StrideProfile {
public:
  explicit StrideProfile(int stages);

  enum Phase { HOST, SEARCH, UPDATE, EXCHANGE, FIRST_STAGE };

  bool is_on() const { return on_; }
  /// The time since the end of the last phase was that of this one; stages are FIRST_STAGE and those after it.
  void end(int phase)
  {
    if (on_) add(phase);
  }
  /// The end of a prediction for so many atoms with so many pairs.
  void end_stride(std::int64_t atoms, std::int64_t pairs);

  /// One line, "us for each atom and stride: search 0.41, ...", of what has been measured since the last call; empty if
  /// nothing has.
  std::string report();

private:
  using Clock = std::chrono::steady_clock;
  void add(int phase);

  bool on_;
  Clock::time_point last_;
  std::vector<double> seconds_;    // of each phase
  double atoms_ = 0.0, pairs_ = 0.0;
  std::int64_t strides_ = 0;
};

}    // namespace vitrify
