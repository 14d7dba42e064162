// SPDX-License-Identifier: BSD-3-Clause
#include "rules/predictions.h"

#include "base/text.h"

#include <algorithm>

namespace vitrify {

// An energy barrier is positive. Where the model is in its range, the lowest of 1e4 atoms is far above zero; one atom
// in a hundred may be at a defect, and one atom in any case.
static const char *const POSITIVE_PROPERTY = "barrier";
static constexpr double NEGATIVE_SHARE = 0.01;
// 1% of the training atoms are outside by definition, and 6% of a glass that was cooled much faster.
static constexpr double OUTSIDE_SHARE = 0.5;

static const std::string REMEDY = ": minimise the structure in the potential of the labels first, check which element "
                                  "each type is, or use a model for such structures";

std::string impossible_property(const std::string &property, const std::string &unit, const PropertyCounts &counts,
                                double limit)
{
  const auto n = static_cast<double>(counts.atoms);
  const std::string of_all = " of " + std::to_string(counts.atoms) + " atoms", in_unit = unit.empty() ? "" : " " + unit;
  if (property == POSITIVE_PROPERTY && static_cast<double>(counts.negative) > std::max(1.0, NEGATIVE_SHARE * n))
    return "the " + property + " of " + std::to_string(counts.negative) + of_all + " is negative, the lowest is " +
           number(counts.lowest) + in_unit + ", so that the predictions mean nothing" + REMEDY;
  if (limit > 0.0 && static_cast<double>(counts.outside) > OUTSIDE_SHARE * n)
    return std::to_string(counts.outside) + of_all + " are unlike the training data, since the deviation of their " +
           property + " is above the " + number(limit) + in_unit +
           " that 99% of the training atoms stay below, so that the predictions mean nothing" + REMEDY;
  return "";
}

}    // namespace vitrify
