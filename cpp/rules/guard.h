// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace vitrify {

// Training data are finite: longer runs and larger systems meet closer pairs, faster atoms and hotter moments without
// being wrong. Extremes grow with the logarithm of the number of samples, so that factors this close to 1 suffice.

/// Share of the smallest distance in the training data below which a pair is refused. A repulsion r^-12 is 3.5 times
/// as high there as at the closest pair of 1e5 to 1e8 pairs, and this pair costs an energy of at least T log(1e5).
constexpr double CLOSEST_FACTOR = 0.9;
/// Multiple of the largest displacement in the training data above which a displacement is refused: 5 standard
/// deviations of the thermal velocity become 7.5, and in between the model extrapolates.
constexpr double FARTHEST_FACTOR = 1.5;
/// Multiple of the highest temperature in the training data above which a temperature is refused. The factor allows 5
/// standard deviations of the temperature of 67 atoms, and more for larger systems.
constexpr double HOTTEST_FACTOR = 1.5;

/// Why a prediction is refused. The severity compares refusals: the highest one is the cause of the others.
struct Refusal {
  enum class Reason { NONE, NOT_FINITE, TOO_FAR, TOO_CLOSE };
  Reason reason = Reason::NONE;
  double severity = 0.0;        // 0: nothing is refused
  int atom = -1;                // NOT_FINITE and TOO_FAR: index of the atom
  int first = 0, second = 0;    // TOO_CLOSE: the two species, first >= second
  double value = 0.0;           // TOO_FAR: displacement; TOO_CLOSE: distance; units of the model

  explicit operator bool() const { return reason != Reason::NONE; }
};

/// The guard of an integrator: it refuses predictions of one stride that lie far outside of the training data. All
/// methods are pure functions of their arguments and of the limits of the model.
class Guard {
public:
  /// min_distance: smallest distance in the training data of each `pair_of_species`, or empty if the file has none;
  /// max_displacement: largest displacement of an atom over one stride, or 0 if the file has none;
  /// highest_temperature: upper end of the temperature range of the training data. All in units of the model.
  Guard(std::vector<std::string> species, std::vector<double> min_distance, double max_displacement,
        double highest_temperature);

  /// True if the model file has limits of distances and displacements; otherwise only temperatures are checked.
  bool has_all_limits() const { return !min_distance_.empty() && max_displacement_ > 0.0; }

  /// The limits of distances, as given.
  const std::vector<double> &min_distance() const { return min_distance_; }

  /// Why a temperature, relative to the centre of mass, is refused; empty if it is not.
  std::string refuse_temperature(double temperature) const;

  /// Refuses pairs that are too close. closest: smallest distance of each `pair_of_species`.
  Refusal refuse_distances(const std::vector<double> &closest) const;

  /// Refuses a prediction that moves an atom too far. n: atoms; dr: displacements (n, 3); drift: displacement (3) of
  /// the centre of mass, which is subtracted.
  Refusal refuse_displacements(int n, const double *dr, const double *drift) const;

  /// What is refused about the atoms of these IDs; one ID for NOT_FINITE and TOO_FAR, two for TOO_CLOSE.
  std::string describe(const Refusal &refusal, long long id, long long other_id = 0) const;

private:
  std::vector<std::string> species_;
  std::vector<double> min_distance_;
  double max_displacement_, highest_temperature_;
};

/// Refuses predictions that are not numbers, with or without a guard. dr, dv: changes of position and velocity (n, 3).
Refusal refuse_not_finite(int n, const double *dr, const double *dv);

/// Indices of the closest pair of atoms of species a >= b, of which at least one is among the first n_owned of n, or
/// (-1, -1) if no pair is as close as `distance`. species: (n); positions: (n, 3). Sweeps along x.
std::pair<int, int> closest_atoms(int n_owned, int n, const int *species, const double *positions, int a, int b,
                                  double distance);

}    // namespace vitrify
