// SPDX-License-Identifier: BSD-3-Clause
#include "generation/composition.h"

#include "base/error.h"
#include "base/suggestion.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace vitrify {

namespace {

using Counts = std::vector<std::int64_t>;

constexpr std::int64_t MAX_ATOMS = std::numeric_limits<int>::max();
constexpr double ABSENT = 1e-9;        // a smaller fraction of a species is none
constexpr double MAX_CHARGE = 0.02;    // of a composition, relative to the largest charge: an effect of rounding
constexpr double SINGULAR = 1e-9;      // of the largest eigenvalue of a correlation matrix
constexpr double NO_ANGLE = 1e-20;     // an element of a matrix, relative to its diagonal, that no rotation changes
constexpr double MAX_COMPOSITIONS = 1e6;    // that the search of a neutral one looks at
constexpr double MAX_SEARCHED = 1e7;        // the same, of all numbers of atoms that are tried
constexpr std::int64_t MAX_AWAY = 200;      // how far from a number of atoms a possible one is looked for

// Symmetric matrix (n, n) -> eigenvalues, and eigenvectors as rows, by Jacobi's rotations.
void diagonalise(std::vector<double> &matrix, std::vector<double> &vectors, std::size_t n)
{
  vectors.assign(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) vectors[i * n + i] = 1.0;
  bool changed = true;
  for (int sweep = 0; sweep < 60 && changed; ++sweep) {
    changed = false;
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        const double diagonal = std::fabs(matrix[p * n + p]) + std::fabs(matrix[q * n + q]);
        if (std::fabs(matrix[p * n + q]) <= NO_ANGLE * diagonal) continue;
        changed = true;
        const double angle = 0.5 * std::atan2(2.0 * matrix[p * n + q], matrix[q * n + q] - matrix[p * n + p]);
        const double c = std::cos(angle), s = std::sin(angle);
        for (std::size_t k = 0; k < n; ++k) {
          const double a = matrix[k * n + p], b = matrix[k * n + q];
          matrix[k * n + p] = c * a - s * b;
          matrix[k * n + q] = s * a + c * b;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double a = matrix[p * n + k], b = matrix[q * n + k];
          matrix[p * n + k] = c * a - s * b;
          matrix[q * n + k] = s * a + c * b;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double a = vectors[p * n + k], b = vectors[q * n + k];
          vectors[p * n + k] = c * a - s * b;
          vectors[q * n + k] = s * a + c * b;
        }
      }
  }
}

// x that solves matrix x = right as well as it can be solved, the shortest such x.
std::vector<double> solve_singular(std::vector<double> matrix, const std::vector<double> &right)
{
  const std::size_t n = right.size();
  std::vector<double> vectors, x(n, 0.0);
  diagonalise(matrix, vectors, n);
  double largest = 0.0;
  for (std::size_t k = 0; k < n; ++k) largest = std::max(largest, matrix[k * n + k]);
  for (std::size_t k = 0; k < n; ++k) {
    if (!(matrix[k * n + k] > SINGULAR * largest)) continue;
    double part = 0.0;
    for (std::size_t i = 0; i < n; ++i) part += vectors[k * n + i] * right[i];
    for (std::size_t i = 0; i < n; ++i) x[i] += vectors[k * n + i] * part / matrix[k * n + k];
  }
  return x;
}

// Fractions to whole numbers that add up to n: those with the largest remainders are rounded up.
Counts largest_remainder(std::int64_t n, const std::vector<double> &fractions)
{
  Counts counts;
  std::vector<double> remainders;
  for (const double fraction : fractions) {
    const double share = fraction * static_cast<double>(n);
    counts.push_back(static_cast<std::int64_t>(std::floor(share)));
    remainders.push_back(share - std::floor(share));
  }
  std::vector<std::size_t> order(fractions.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return remainders[a] > remainders[b]; });
  std::int64_t missing = n - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  for (std::size_t k = 0; missing > 0; k = (k + 1) % order.size(), --missing) ++counts[order[k]];
  return counts;
}

/// Looks for whole numbers of some species that add up to n, are neutral, and are nearest to real ones.
class NeutralSearch {
public:
  NeutralSearch(std::int64_t n, std::vector<double> fractions, std::vector<double> charges, double &budget) :
      n_(n), charges_(std::move(charges)), centre_(std::move(fractions)), budget_(budget)
  {
    for (double &share : centre_) share *= static_cast<double>(n);
    project();
    choose_pivots();
    counts_.assign(centre_.size(), 0);
  }

  /// Empty if there are none.
  Counts run()
  {
    if (charges_[high_] == charges_[low_]) return {};
    const auto free = static_cast<double>(centre_.size()) - 2.0;
    double searched = 0.0;
    for (std::int64_t reach = 0;; ++reach) {
      const double box = std::pow(2.0 * static_cast<double>(reach) + 1.0, free);
      const double most = reach > 2 && best_.empty() ? MAX_EMPTY : MAX_COMPOSITIONS;
      if (reach > 0 && (box > most || box - searched > budget_)) return best_;
      budget_ -= box - searched;
      searched = box;
      reach_ = reach;
      visit(0, 0, 0.0, 0.0, reach == 0);
      // Whatever lies outside the box is farther from its middle than its reach.
      if ((!best_.empty() && least_ <= static_cast<double>(reach) * static_cast<double>(reach)) || reach >= farthest_)
        return best_;
    }
  }

private:
  static constexpr double MAX_EMPTY = 5e4;    // compositions without a neutral one among them: there is none

  // The neutral real numbers that are nearest to the shares.
  void project()
  {
    const double mean = std::accumulate(charges_.begin(), charges_.end(), 0.0) / static_cast<double>(charges_.size());
    double charge = 0.0, square = 0.0;
    for (std::size_t i = 0; i < charges_.size(); ++i) {
      charge += charges_[i] * centre_[i];
      square += (charges_[i] - mean) * (charges_[i] - mean);
    }
    for (std::size_t i = 0; square > 0.0 && i < charges_.size(); ++i)
      centre_[i] -= charge / square * (charges_[i] - mean);
  }

  // The two species whose numbers follow from those of the others.
  void choose_pivots()
  {
    low_ = static_cast<std::size_t>(std::min_element(charges_.begin(), charges_.end()) - charges_.begin());
    high_ = static_cast<std::size_t>(std::max_element(charges_.begin(), charges_.end()) - charges_.begin());
    for (std::size_t i = 0; i < centre_.size(); ++i) {
      if (i == low_ || i == high_) continue;
      last_ = i;
      const auto middle = static_cast<std::int64_t>(std::llround(centre_[i]));
      farthest_ = std::max({farthest_, middle, n_ - middle});
    }
  }

  // Visits the compositions that the last reach left out; `is_new` if the numbers of earlier species are such.
  void visit(std::size_t species, std::int64_t sum, double charge, double distance, bool is_new)
  {
    if (species == centre_.size()) return finish(sum, charge, distance);
    if (species == low_ || species == high_) return visit(species + 1, sum, charge, distance, is_new);
    const auto middle = static_cast<std::int64_t>(std::llround(centre_[species]));
    const std::int64_t most = std::min(middle + reach_, n_ - sum);
    const std::int64_t step = is_new || species != last_ ? 1 : 2 * reach_;
    for (std::int64_t count = middle - reach_; count <= most; count += step) {
      if (count < 0) continue;
      const double away = static_cast<double>(count) - centre_[species];
      counts_[species] = count;
      visit(species + 1, sum + count, charge + charges_[species] * static_cast<double>(count), distance + away * away,
            is_new || std::abs(count - middle) == reach_);
    }
  }

  void finish(std::int64_t sum, double charge, double distance)
  {
    const std::int64_t left = n_ - sum;
    const double span = charges_[high_] - charges_[low_];
    const double exact = (-charge - charges_[low_] * static_cast<double>(left)) / span;
    const auto high = static_cast<std::int64_t>(std::llround(exact));
    if (std::fabs(exact - static_cast<double>(high)) > 1e-5 || high < 0 || high > left) return;
    counts_[high_] = high;
    counts_[low_] = left - high;
    for (const std::size_t i : {high_, low_}) {
      const double away = static_cast<double>(counts_[i]) - centre_[i];
      distance += away * away;
    }
    if (!best_.empty() && !(distance < least_)) return;
    best_ = counts_;
    least_ = distance;
  }

  std::int64_t n_;
  std::vector<double> charges_, centre_;
  double &budget_;                               // compositions that may still be looked at
  std::size_t low_ = 0, high_ = 0, last_ = 0;    // pivots, and the last of the others
  std::int64_t farthest_ = 0;                    // reach of the box that holds all compositions
  std::int64_t reach_ = 0;
  double least_ = 0.0;    // squared distance of the best from the middle
  Counts counts_, best_;
};

}    // namespace

Counts neutral_counts(std::int64_t n, const std::vector<double> &fractions, const std::vector<double> &charges)
{
  double budget = MAX_SEARCHED;
  return neutral_counts(n, fractions, charges, budget);
}

Counts neutral_counts(std::int64_t n, const std::vector<double> &fractions, const std::vector<double> &charges,
                      double &budget)
{
  std::vector<std::size_t> present;
  std::vector<double> shares, ions;
  for (std::size_t s = 0; s < fractions.size(); ++s) {
    if (fractions[s] <= ABSENT) continue;
    present.push_back(s);
    shares.push_back(fractions[s]);
    ions.push_back(charges[s]);
  }
  if (present.empty()) return {};
  const Counts found = NeutralSearch(n, shares, ions, budget).run();
  if (found.empty()) return {};
  Counts counts(fractions.size(), 0);
  for (std::size_t k = 0; k < present.size(); ++k) counts[present[k]] = found[k];
  return counts;
}

std::size_t Composition::statistic(const std::string &name) const
{
  const auto &names = metadata_.generator.statistics.names;
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::vector<double> Composition::conditional_mean(const std::vector<double> &properties,
                                                  const std::vector<double> &known,
                                                  const std::vector<double> &fractions) const
{
  const Statistics &statistics = metadata_.generator.statistics;
  const std::size_t n = statistics.names.size();
  const auto covariance = [&](std::size_t i, std::size_t j) { return statistics.covariance[i * n + j]; };
  // Statistics that do not vary are left out, and the others are scaled, since units differ by orders of magnitude.
  std::vector<std::size_t> given;
  std::vector<double> away;
  const auto add = [&](const std::string &name, double value) {
    const std::size_t i = statistic(name);
    if (i == n || !(covariance(i, i) > 1e-20 * (1.0 + statistics.mean[i] * statistics.mean[i]))) return;
    given.push_back(i);
    away.push_back((value - statistics.mean[i]) / std::sqrt(covariance(i, i)));
  };
  for (std::size_t p = 0; p < metadata_.generator.properties.size(); ++p)
    if (known[p] != 0.0) add(metadata_.generator.properties[p].name, properties[p]);
  for (std::size_t s = 0; s < fractions.size(); ++s) add("fraction:" + metadata_.species[s], fractions[s]);

  const std::size_t m = given.size();
  std::vector<double> correlation(m * m);
  for (std::size_t a = 0; a < m; ++a)
    for (std::size_t b = 0; b < m; ++b)
      correlation[a * m + b] =
          covariance(given[a], given[b]) / std::sqrt(covariance(given[a], given[a]) * covariance(given[b], given[b]));
  const std::vector<double> weights = solve_singular(correlation, away);
  std::vector<double> mean = statistics.mean;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t a = 0; a < m; ++a)
      mean[i] += covariance(i, given[a]) / std::sqrt(covariance(given[a], given[a])) * weights[a];
  return mean;
}

double Composition::density(const std::vector<double> &properties, const std::vector<double> &known,
                            const std::vector<double> &fractions) const
{
  const double low = metadata_.validity.number_density[0], high = metadata_.validity.number_density[1];
  const std::size_t i = statistic("number_density");
  if (i == metadata_.generator.statistics.names.size()) return 0.5 * (low + high);
  return std::clamp(conditional_mean(properties, known, fractions)[i], low, high);
}

std::vector<double> Composition::fractions(const std::vector<double> &properties,
                                           const std::vector<double> &known) const
{
  const std::vector<double> mean = conditional_mean(properties, known, {});
  std::vector<double> found;
  for (std::size_t s = 0; s < metadata_.species.size(); ++s) {
    const auto &range = metadata_.validity.composition[s];
    const std::size_t i = statistic("fraction:" + metadata_.species[s]);
    found.push_back(i == mean.size() ? 0.5 * (range[0] + range[1]) : std::clamp(mean[i], range[0], range[1]));
  }
  return normalised(found);
}

std::vector<double> Composition::normalised(const std::vector<double> &fractions) const
{
  if (fractions.size() != metadata_.species.size())
    throw Error("got " + std::to_string(fractions.size()) + " fractions: give one for each of the species " +
                joined(metadata_.species));
  double sum = 0.0;
  for (const double fraction : fractions) {
    if (!(fraction >= 0.0 && std::isfinite(fraction)))
      throw Error("a fraction of the composition is " + number(fraction) + ": give numbers from 0 on");
    sum += fraction;
  }
  if (!(sum > 0.0)) throw Error("the fractions of the composition are all zero: give at least one above zero");
  std::vector<double> scaled;
  for (const double fraction : fractions) scaled.push_back(fraction / sum);
  return scaled;
}

// A composition that is far from neutral would become another one without a word.
std::vector<double> Composition::checked_fractions(const std::vector<double> &fractions) const
{
  std::vector<double> scaled = normalised(fractions);
  const auto &charges = metadata_.generator.charges;
  double charge = 0.0, largest = 0.0;
  for (std::size_t s = 0; s < charges.size(); ++s) {
    charge += scaled[s] * charges[s];
    largest = std::max(largest, std::fabs(charges[s]));
  }
  if (std::fabs(charge) <= MAX_CHARGE * largest) return scaled;
  std::string ions;
  for (std::size_t s = 0; s < charges.size(); ++s)
    ions += (s ? ", " : "") + metadata_.species[s] + " " + number(charges[s]);
  throw Error("the composition is not neutral, it has a charge of " + number(charge) +
              " an atom: give one whose charges (" + ions + ") balance");
}

bool Composition::is_charged(const std::vector<double> &fractions) const
{
  const auto &charges = metadata_.generator.charges;
  for (std::size_t s = 0; s < charges.size(); ++s)
    if (fractions[s] > ABSENT && charges[s] != 0.0) return true;
  return false;
}

// Empty if n atoms cannot be neutral.
Counts Composition::attempt(std::int64_t n, const std::vector<double> &fractions, double &budget) const
{
  if (!is_charged(fractions)) return largest_remainder(n, fractions);
  return neutral_counts(n, fractions, metadata_.generator.charges, budget);
}

Counts Composition::counts(std::int64_t n, const std::vector<double> &fractions) const
{
  if (n < 1 || n > MAX_ATOMS)
    throw Error("the number of atoms is " + std::to_string(n) + ": give one from 1 to " + std::to_string(MAX_ATOMS));
  double budget = MAX_SEARCHED;
  const Counts found = attempt(n, fractions, budget);
  if (!found.empty()) return found;
  std::string possible;
  for (const int sign : {-1, 1})
    for (std::int64_t away = 1; away <= MAX_AWAY && n + sign * away >= 1; ++away)
      if (!attempt(n + sign * away, fractions, budget).empty()) {
        possible += (possible.empty() ? "" : " or ") + std::to_string(n + sign * away);
        break;
      }
  throw Error(std::to_string(n) + " atoms of " + joined(metadata_.species) + " cannot be neutral: " +
              (possible.empty() ? "give a composition whose charges can balance" : "use " + possible));
}

Counts Composition::nearest_counts(double n, const std::vector<double> &fractions) const
{
  if (!(n < static_cast<double>(MAX_ATOMS - MAX_AWAY)))
    throw Error("the box would hold " + number(n, 12) + " atoms, more than " + std::to_string(MAX_ATOMS) +
                ": check the box and its units");
  const auto middle = std::max<std::int64_t>(0, std::llround(n));
  if (middle == 0)
    throw Error("the box would hold " + number(n) + " atoms at this density, so none at all: use a larger box");
  double budget = MAX_SEARCHED;
  for (std::int64_t away = 0; away <= MAX_AWAY; ++away)
    for (const std::int64_t tried : {middle - away, middle + away}) {
      if (tried < 1) continue;
      const Counts found = attempt(tried, fractions, budget);
      if (!found.empty()) return found;
    }
  throw Error("no composition of about " + std::to_string(middle) + " atoms of " + joined(metadata_.species) +
              " is neutral: give a composition whose charges can balance");
}

}    // namespace vitrify
