// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/metadata.h"

#include <cstdint>
#include <vector>

namespace vitrify {

/// Density and numbers of atoms of a generator's glass, from the statistics of its training data.
///
/// Numbers that are not given take their conditional mean under those that are, as for a normal distribution.
/// `properties` and `known` have one value for each property of the model; known is 1 where the property is asked for.
/// Fractions are those of the model's species, in any scale; empty if they are not given. Throws Error for values that
/// make no glass.
class Composition {
public:
  explicit Composition(const Metadata &metadata) : metadata_(metadata) {}

  /// Atoms per volume, within the range of the training data.
  double density(const std::vector<double> &properties, const std::vector<double> &known,
                 const std::vector<double> &fractions) const;
  /// The fraction of each species; they add up to 1.
  std::vector<double> fractions(const std::vector<double> &properties, const std::vector<double> &known) const;
  /// Atoms of each species of exactly n atoms, the nearest to the fractions that is neutral.
  std::vector<std::int64_t> counts(std::int64_t n, const std::vector<double> &fractions) const;
  /// The same for the number of atoms nearest to n for which there is such a composition.
  std::vector<std::int64_t> nearest_counts(double n, const std::vector<double> &fractions) const;
  /// Fractions that a user gives: checks that they are neutral, and makes them add up to 1.
  std::vector<double> checked_fractions(const std::vector<double> &fractions) const;

private:
  std::vector<double> conditional_mean(const std::vector<double> &properties, const std::vector<double> &known,
                                       const std::vector<double> &fractions) const;
  std::size_t statistic(const std::string &name) const;
  bool is_charged(const std::vector<double> &fractions) const;
  std::vector<double> normalised(const std::vector<double> &fractions) const;
  std::vector<std::int64_t> attempt(std::int64_t n, const std::vector<double> &fractions, double &budget) const;

  const Metadata &metadata_;
};

/// Atoms of each species, n in all, that are neutral and nearest to the fractions (adding up to 1), as far as a search
/// that ends finds them; empty if it finds none. charges: of each species.
std::vector<std::int64_t> neutral_counts(std::int64_t n, const std::vector<double> &fractions,
                                         const std::vector<double> &charges);

/// The same for one number of several that are tried: the compositions that are looked at are taken off the budget.
std::vector<std::int64_t> neutral_counts(std::int64_t n, const std::vector<double> &fractions,
                                         const std::vector<double> &charges, double &budget);

}    // namespace vitrify
