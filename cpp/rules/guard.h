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

/// What is said of a model file without limits of distances and displacements.
constexpr const char *MISSING_LIMITS =
    "this model file has no limits of distances and displacements: the guard checks temperatures alone; export the "
    "model again for the others";

/// Refused strides of a run that are reported one by one where other steps take them; the rest are counted.
constexpr int REPORTED_FALLBACKS = 10;

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

  /// Refuses a prediction: for pairs too close in what it was made from, for changes that are not numbers, or for a
  /// displacement too far; the one that is the cause of the others. n: atoms; dr, dv: changes of position and velocity
  /// (n, 3); drift: displacement (3) of the centre of mass; closest: smallest distance of each `pair_of_species`.
  Refusal refuse_prediction(int n, const double *dr, const double *dv, const double *drift,
                            const std::vector<double> &closest) const;

  /// What is refused about the atoms of these IDs; one ID for NOT_FINITE and TOO_FAR, two for TOO_CLOSE.
  std::string describe(const Refusal &refusal, long long id, long long other_id = 0) const;

private:
  std::vector<std::string> species_;
  std::vector<double> min_distance_;
  double max_displacement_, highest_temperature_;
};

/// Refuses predictions that are not numbers, with or without a guard. dr, dv: changes of position and velocity (n, 3).
Refusal refuse_not_finite(int n, const double *dr, const double *dv);

/// What is wrong with an atom of this ID whose position or velocity is not a number before the prediction.
std::string describe_not_finite_before(long long id);

/// What is reported about the `count`-th stride of a run, from 1, that `steps` steps of velocity Verlet take in place
/// of the prediction that was refused for a reason; empty for those that are only counted.
std::string describe_fallback(const std::string &reason, long long step, int steps, long long count);
/// What is reported at the end of a run with such strides; empty without.
std::string describe_fallbacks(long long count);

/// Indices of the closest pair of atoms of species a >= b, of which at least one is among the first n_owned of n, or
/// (-1, -1) if no pair is as close as `distance`. species: (n); positions: (n, 3). Sweeps along x.
std::pair<int, int> closest_atoms(int n_owned, int n, const int *species, const double *positions, int a, int b,
                                  double distance);

}    // namespace vitrify
