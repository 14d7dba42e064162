// SPDX-License-Identifier: BSD-3-Clause
#include "rules/guard.h"

#include "base/error.h"
#include "base/species_pair.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

// Close pairs are the cause of predictions that are not numbers, and these are reported before large displacements.
static constexpr double SEVERITY_OF_CLOSE_PAIRS = 1.0e6;    // times a ratio above 1
static constexpr double SEVERITY_OF_NOT_FINITE = 2.0e5;
static constexpr double LARGEST_SEVERITY_OF_DISPLACEMENTS = 1.0e5;

// Engines may measure distances in single precision.
static constexpr double DISTANCE_TOLERANCE = 1.0e-5;

static std::string text(double value)
{ return number(value, 6); }

Guard::Guard(std::vector<std::string> species, std::vector<double> min_distance, double max_displacement,
             double highest_temperature) :
    species_(std::move(species)), min_distance_(std::move(min_distance)), max_displacement_(max_displacement),
    highest_temperature_(highest_temperature)
{
  const std::size_t n = species_.size();
  if (!min_distance_.empty() && min_distance_.size() != n * (n + 1) / 2)
    throw Error("min_distance must have one value for each pair of species");
}

std::string Guard::refuse_temperature(double temperature) const
{
  if (temperature <= HOTTEST_FACTOR * highest_temperature_) return "";
  return "temperature " + text(temperature) + " is above " + text(HOTTEST_FACTOR) + " times the " +
         text(highest_temperature_) + " that the model is valid up to";
}

Refusal Guard::refuse_distances(const std::vector<double> &closest) const
{
  Refusal worst;
  if (min_distance_.empty()) return worst;
  for (int a = 0; a < static_cast<int>(species_.size()); a++) {
    for (int b = 0; b <= a; b++) {
      const std::size_t pair = pair_of_species(a, b);
      const double ratio = CLOSEST_FACTOR * min_distance_[pair] / closest[pair];
      const double severity = std::min(SEVERITY_OF_CLOSE_PAIRS * ratio, std::numeric_limits<double>::max());
      if (ratio > 1.0 && severity > worst.severity)
        worst = {Refusal::Reason::TOO_CLOSE, severity, -1, a, b, closest[pair]};
    }
  }
  return worst;
}

Refusal Guard::refuse_displacements(int n, const double *dr, const double *drift) const
{
  if (max_displacement_ == 0.0) return {};
  double largest_square = 0.0;
  int atom = -1;
  for (int i = 0; i < n; i++) {
    double square = 0.0;
    for (int k = 0; k < 3; k++) {
      const double moved = dr[3 * static_cast<std::size_t>(i) + k] - drift[k];
      square += moved * moved;
    }
    if (square > largest_square) {
      largest_square = square;
      atom = i;
    }
  }
  const double largest = std::sqrt(largest_square);
  if (largest <= FARTHEST_FACTOR * max_displacement_) return {};
  return {Refusal::Reason::TOO_FAR,
          std::min(largest / max_displacement_, LARGEST_SEVERITY_OF_DISPLACEMENTS),
          atom,
          0,
          0,
          largest};
}

Refusal Guard::refuse_prediction(int n, const double *dr, const double *dv, const double *drift,
                                 const std::vector<double> &closest) const
{
  Refusal worst = refuse_not_finite(n, dr, dv);
  if (!worst) worst = refuse_displacements(n, dr, drift);
  const Refusal distances = refuse_distances(closest);
  return distances.severity > worst.severity ? distances : worst;
}

std::string Guard::describe(const Refusal &refusal, long long id, long long other_id) const
{
  const std::string name = std::to_string(id);
  const int a = refusal.first, b = refusal.second;
  if (refusal.reason == Refusal::Reason::TOO_CLOSE && (min_distance_.empty() || a >= static_cast<int>(species_.size())))
    throw Error("the refusal is of another guard");
  switch (refusal.reason) {
    case Refusal::Reason::NONE:
      return "";
    case Refusal::Reason::NOT_FINITE:
      return "position or velocity of atom " + name + " is not a number after the prediction";
    case Refusal::Reason::TOO_FAR:
      return "the prediction moves atom " + name + " by " + text(refusal.value) + ", above " + text(FARTHEST_FACTOR) +
             " times the " + text(max_displacement_) + " of the training data";
    default:
      return "atoms " + name + " and " + std::to_string(other_id) + " (" + species_[b] + " and " + species_[a] +
             ") are " + text(refusal.value) + " apart, below " + text(CLOSEST_FACTOR) + " times the " +
             text(min_distance_[pair_of_species(a, b)]) + " of the training data";
  }
}

Refusal refuse_not_finite(int n, const double *dr, const double *dv)
{
  for (int i = 0; i < n; i++) {
    const double *dri = dr + 3 * static_cast<std::size_t>(i), *dvi = dv + 3 * static_cast<std::size_t>(i);
    const double sum = dri[0] * dri[0] + dri[1] * dri[1] + dri[2] * dri[2] + dvi[0] + dvi[1] + dvi[2];
    if (!std::isfinite(sum)) return {Refusal::Reason::NOT_FINITE, SEVERITY_OF_NOT_FINITE, i, 0, 0, 0.0};
  }
  return {};
}

std::string describe_not_finite_before(long long id)
{ return "position or velocity of atom " + std::to_string(id) + " is not a number before the prediction"; }

std::string describe_fallback(const std::string &reason, long long step, int steps, long long count)
{
  if (count > REPORTED_FALLBACKS) return "";
  return reason + " at step " + std::to_string(step) + ": stride taken in " + std::to_string(steps) +
         " steps of velocity Verlet" + (count == REPORTED_FALLBACKS ? "; further ones are counted, not reported" : "");
}

std::string describe_fallbacks(long long count)
{ return count > 0 ? std::to_string(count) + " strides of this run were taken by velocity Verlet" : ""; }

std::pair<int, int> closest_atoms(int n_owned, int n, const int *species, const double *positions, int a, int b,
                                  double distance)
{
  const auto x = [positions](int i) { return positions + 3 * static_cast<std::size_t>(i); };
  std::vector<int> order;
  for (int i = 0; i < n; i++)
    if (species[i] == a || species[i] == b) order.push_back(i);
  std::sort(order.begin(), order.end(), [x](int i, int j) { return x(i)[0] < x(j)[0]; });

  const double reach = distance * (1.0 + DISTANCE_TOLERANCE);
  double smallest = reach * reach;
  std::pair<int, int> found(-1, -1);
  for (std::size_t first = 0; first < order.size(); first++) {
    const int i = order[first];
    for (std::size_t second = first + 1; second < order.size(); second++) {
      const int j = order[second];
      if (!(x(j)[0] - x(i)[0] <= reach)) break;
      if (std::max(species[i], species[j]) != a || std::min(species[i], species[j]) != b) continue;
      if (i >= n_owned && j >= n_owned) continue;
      double square = 0.0;
      for (int k = 0; k < 3; k++) square += (x(i)[k] - x(j)[k]) * (x(i)[k] - x(j)[k]);
      if (square > smallest) continue;
      smallest = square;
      found = {i, j};
    }
  }
  return found;
}

}    // namespace vitrify
