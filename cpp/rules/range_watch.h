// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "rules/validity.h"

#include <array>
#include <string>

namespace vitrify {

/// Watches the structures that a host gives to a model: each quantity is told of once, at the first structure outside
/// of the training data, and structures outside are counted.
class RangeWatch {
public:
  explicit RangeWatch(TrainingRange range) : range_(std::move(range)) {}

  const TrainingRange &range() const { return range_; }

  /// Counts a structure, and returns the warning that is due: empty if nothing new lies outside.
  std::string observe(const Observed &observed);

  /// The same without counting, for a structure that has not been given to the model yet.
  std::string preview(const Observed &observed);

  long long observed() const { return observed_; }    // structures so far
  long long outside() const { return outside_; }      // of these, outside of the training data

  /// "12 of 60 strides were unlike the training data (number density 12, temperature 3)"; empty if none was.
  /// what: the structures, in the plural.
  std::string summary(const std::string &what) const;

  /// Begins to count anew; what was told is not told again.
  void restart_counts();

private:
  static constexpr std::size_t QUANTITIES = 4;    // of Finding::Quantity
  TrainingRange range_;
  std::array<bool, QUANTITIES> told_{};
  std::array<long long, QUANTITIES> counts_{};
  long long observed_ = 0, outside_ = 0;

  std::string tell(const std::vector<Finding> &findings);
};

}    // namespace vitrify
