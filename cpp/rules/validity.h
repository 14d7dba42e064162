// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "modelfile/metadata.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace vitrify {

// Training data have widened their ranges by 2% already (python/vitrify/training/validity.py). The tolerances below
// forgive what rounding and finite systems do to a structure of the range, and no more; all hosts have these.

/// A density that was written with six digits for each edge of the box and read again is off by a few 1e-6.
constexpr double DENSITY_TOLERANCE = 1.0e-5;    // relative
/// A fraction may miss its range by half an atom, since a small system cannot always meet it; this is for rounding.
constexpr double FRACTION_TOLERANCE = 1.0e-6;
/// A repulsion r^-12 is 1.85 times as high at this share below the closest pair of the training data. As a pair costs
/// the energy T log(number of pairs), that is the closest pair of 1e5 times as much data.
constexpr double DISTANCE_TOLERANCE = 0.05;    // relative
/// The temperature of N atoms fluctuates by sqrt(2 / (3 N - 3)) of itself; so many standard deviations are no news.
constexpr double TEMPERATURE_DEVIATIONS = 3.0;
/// Two atoms at this share of the smallest distance of the training data are in one place: even random positions of
/// thousands of atoms, which minimisers take apart, have no pair as close.
constexpr double SAME_PLACE = 0.01;

/// A quantity of a structure that lies outside of the training data.
struct Finding {
  enum class Quantity { COMPOSITION, DENSITY, TEMPERATURE, DISTANCE };
  Quantity quantity;
  std::string name;                // "the fraction of Cu"
  double value, low, high;         // in units of the model; infinite where there is no limit
  std::string sentence() const;    // "the fraction of Cu is 0.9, outside 0.62 to 0.66"
};

/// What a host knows of a structure. Whatever it does not know is left out, and not compared.
struct Observed {
  std::vector<double> counts;           // atoms of each species in the whole structure
  double volume = 0.0;                  // of the box; 0 if there are atoms that the model does not see
  bool surfaces = false;                // the box is not periodic in all directions
  std::vector<double> closest;          // of each `pair_of_species`, infinite where none is near; may be empty
  std::optional<double> temperature;    // of integrators, relative to the centre of mass
};

/// Another order of the elements that fits the training data where the given one does not.
struct Swap {
  std::vector<int> species;    // what each species of the structure seems to be; empty: the order is not in doubt
  bool certain = false;        // the composition says so, and closest pairs do not contradict
  std::string reason;          // "the fraction of A is 0.2, outside 0.78 to 0.82"
};

/// The range of the training data of a model, as its file has it, in units of the model.
class TrainingRange {
public:
  /// composition: of each species; temperature: {0, 0} where there is none; min_distance: of each `pair_of_species`, or
  /// empty; species_are_elements: the names say what the atoms are, as in metal units. Throws Error for other sizes.
  TrainingRange(std::vector<std::string> species, std::vector<std::array<double, 2>> composition,
                std::array<double, 2> number_density, std::array<double, 2> temperature,
                std::vector<double> min_distance, bool species_are_elements);
  explicit TrainingRange(const Metadata &metadata);

  const std::vector<std::string> &species() const { return species_; }
  const std::vector<double> &min_distance() const { return min_distance_; }

  /// All quantities outside of the range, in the order of Finding::Quantity; none for a structure without atoms.
  std::vector<Finding> outside(const Observed &observed) const;

  /// Why no training could cover a structure: two atoms in one place. Empty if there is no such reason.
  std::string impossible(const Observed &observed) const;

  /// Whether the elements seem to be in the wrong order. Where names of species are elements, composition alone is no
  /// sign, since masses or chemical symbols speak for it: closest pairs must be outside of the range, too.
  Swap swapped(const Observed &observed) const;

private:
  std::vector<std::string> species_;
  std::vector<std::array<double, 2>> composition_;
  std::array<double, 2> number_density_, temperature_;
  std::vector<double> min_distance_;
  bool species_are_elements_;

  void compare_composition(const Observed &, std::vector<Finding> &) const;
  void compare_density(const Observed &, std::vector<Finding> &) const;
  void compare_temperature(const Observed &, std::vector<Finding> &) const;
  void compare_distances(const Observed &, std::vector<Finding> &) const;
  std::vector<int> better_order(const Observed &) const;
  bool fits(const Observed &) const;
};

/// Whether a pair of species is outside of the range; both of each `pair_of_species`, or empty.
bool has_close_pairs(const std::vector<double> &closest, const std::vector<double> &min_distance);

/// The warning of findings, of which there is at least one, with the remedies.
std::string unlike_training(const std::vector<Finding> &findings);

/// The error of a swap: `remedy` is the line to write in place of the given one.
std::string swapped_elements(const Swap &swap, const std::vector<std::string> &species, const std::string &remedy);

/// The same structure, whose atoms of species s are of species order[s].
Observed reordered(const Observed &observed, const std::vector<int> &order);

}    // namespace vitrify
