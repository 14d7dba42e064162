// SPDX-License-Identifier: BSD-3-Clause
#include "rules/validity.h"

#include "base/error.h"
#include "base/species_pair.h"
#include "base/text.h"
#include "rules/elements.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace vitrify {

namespace {

constexpr double ENDLESS = std::numeric_limits<double>::infinity();

// A fraction as far outside of its range as this is no fluctuation of a composition.
constexpr double CLEARLY_OUTSIDE = 0.1;
// A pair as close as this share of the training data's is no extreme of theirs: the guard of fix ogn refuses it.
constexpr double CLEARLY_CLOSE = 0.1;

double number_of_atoms(const Observed &observed)
{ return std::accumulate(observed.counts.begin(), observed.counts.end(), 0.0); }

bool is_close(double distance, double least)
{ return distance < least * (1.0 - DISTANCE_TOLERANCE); }

const char *remedy_of(Finding::Quantity quantity)
{
  switch (quantity) {
    case Finding::Quantity::COMPOSITION:
      return "check which element each type is, or use a model for this composition";
    case Finding::Quantity::DENSITY:
      return "bring the box to a density of the range";
    case Finding::Quantity::TEMPERATURE:
      return "bring the atoms to a temperature of the range";
    default:
      return "relax the structure first";
  }
}

std::string joined_sentences(const std::vector<Finding> &findings)
{
  std::string words;
  for (const Finding &finding : findings) words += (words.empty() ? "" : "; ") + finding.sentence();
  return words;
}

}    // namespace

std::string Finding::sentence() const
{
  if (quantity == Quantity::DENSITY && !std::isfinite(value)) return name + ", as in no training data";
  const std::string what = name + " is " + number_beside(value, low, high);
  if (!std::isfinite(high)) return what + ", below " + number(low);
  return what + ", outside " + number(low) + " to " + number(high);
}

TrainingRange::TrainingRange(std::vector<std::string> species, std::vector<std::array<double, 2>> composition,
                             std::array<double, 2> number_density, std::array<double, 2> temperature,
                             std::vector<double> min_distance, bool species_are_elements) :
    species_(std::move(species)), composition_(std::move(composition)), number_density_(number_density),
    temperature_(temperature), min_distance_(std::move(min_distance)), species_are_elements_(species_are_elements)
{
  const std::size_t n = species_.size();
  if (composition_.size() != n) throw Error("composition must have one range for each species");
  if (!min_distance_.empty() && min_distance_.size() != n * (n + 1) / 2)
    throw Error("min_distance must have one value for each pair of species");
}

TrainingRange::TrainingRange(const Metadata &metadata) :
    TrainingRange(metadata.species, metadata.validity.composition,
                  {metadata.validity.number_density[0], metadata.validity.number_density[1]},
                  {metadata.validity.temperature[0], metadata.validity.temperature[1]}, metadata.validity.min_distance,
                  metadata.units == "metal")
{
}

std::vector<Finding> TrainingRange::outside(const Observed &observed) const
{
  std::vector<Finding> findings;
  if (number_of_atoms(observed) == 0.0) return findings;
  compare_composition(observed, findings);
  compare_density(observed, findings);
  compare_temperature(observed, findings);
  compare_distances(observed, findings);
  return findings;
}

void TrainingRange::compare_composition(const Observed &observed, std::vector<Finding> &findings) const
{
  if (observed.counts.size() != species_.size()) throw Error("there is one count for each species");
  const double n = number_of_atoms(observed), slack = 0.5 / n + FRACTION_TOLERANCE;
  for (std::size_t s = 0; s < species_.size(); ++s) {
    const double share = observed.counts[s] / n;
    const auto [low, high] = composition_[s];
    if (share >= low - slack && share <= high + slack) continue;
    findings.push_back({Finding::Quantity::COMPOSITION, "the fraction of " + species_[s], share, low, high});
  }
}

// The density means something if the model sees all atoms and the box has no surfaces.
void TrainingRange::compare_density(const Observed &observed, std::vector<Finding> &findings) const
{
  if (observed.surfaces) {
    findings.push_back({Finding::Quantity::DENSITY, "the box is not periodic in all directions", ENDLESS, 0.0, 0.0});
    return;
  }
  if (!(observed.volume > 0.0)) return;
  const double density = number_of_atoms(observed) / observed.volume;
  const auto [low, high] = number_density_;
  if (density >= low * (1.0 - DENSITY_TOLERANCE) && density <= high * (1.0 + DENSITY_TOLERANCE)) return;
  findings.push_back({Finding::Quantity::DENSITY, "the number density", density, low, high});
}

void TrainingRange::compare_temperature(const Observed &observed, std::vector<Finding> &findings) const
{
  if (!observed.temperature || temperature_[1] == 0.0) return;
  const double freedom = std::max(3.0, 3.0 * number_of_atoms(observed) - 3.0);
  const double slack = TEMPERATURE_DEVIATIONS * std::sqrt(2.0 / freedom), found = *observed.temperature;
  const auto [low, high] = temperature_;
  if (found >= low * (1.0 - slack) && found <= high * (1.0 + slack)) return;
  findings.push_back({Finding::Quantity::TEMPERATURE, "the temperature", found, low, high});
}

void TrainingRange::compare_distances(const Observed &observed, std::vector<Finding> &findings) const
{
  if (min_distance_.empty() || observed.closest.empty()) return;
  if (observed.closest.size() != min_distance_.size()) throw Error("there is one closest distance for each pair");
  for (int a = 0; a < static_cast<int>(species_.size()); ++a)
    for (int b = 0; b <= a; ++b) {
      const std::size_t pair = pair_of_species(a, b);
      if (!is_close(observed.closest[pair], min_distance_[pair])) continue;
      findings.push_back({Finding::Quantity::DISTANCE, "the closest " + species_[b] + "-" + species_[a] + " distance",
                          observed.closest[pair], min_distance_[pair], ENDLESS});
    }
}

std::string TrainingRange::impossible(const Observed &observed) const
{
  if (min_distance_.empty() || observed.closest.size() != min_distance_.size()) return "";
  for (int a = 0; a < static_cast<int>(species_.size()); ++a)
    for (int b = 0; b <= a; ++b) {
      const std::size_t pair = pair_of_species(a, b);
      if (!(observed.closest[pair] < SAME_PLACE * min_distance_[pair])) continue;
      return "two atoms (" + species_[b] + " and " + species_[a] + ") are in one place, " +
             number(observed.closest[pair]) + " apart, where the training data have none below " +
             number(min_distance_[pair]) + ": delete one of them";
    }
  return "";
}

bool TrainingRange::fits(const Observed &observed) const
{
  std::vector<Finding> findings;
  compare_composition(observed, findings);
  compare_distances(observed, findings);
  return findings.empty();
}

// Of all orders that fit, the one that changes the fewest species; empty if none does.
std::vector<int> TrainingRange::better_order(const Observed &observed) const
{
  std::vector<int> order(species_.size()), best;
  std::iota(order.begin(), order.end(), 0);
  std::size_t fewest = species_.size() + 1;
  while (std::next_permutation(order.begin(), order.end())) {
    std::size_t changed = 0;
    for (std::size_t s = 0; s < order.size(); ++s) changed += order[s] != static_cast<int>(s) ? 1 : 0;
    if (changed >= fewest || !fits(reordered(observed, order))) continue;
    fewest = changed;
    best = order;
  }
  return best;
}

Swap TrainingRange::swapped(const Observed &observed) const
{
  const double n = number_of_atoms(observed);
  if (n == 0.0 || species_.size() < 2 || species_.size() > MOST_SPECIES) return {};
  std::vector<Finding> composition, close;
  compare_composition(observed, composition);
  compare_distances(observed, close);
  const auto is_clear = [n](const Finding &found) {
    const double slack = 0.5 / n + CLEARLY_OUTSIDE;
    return found.value < found.low - slack || found.value > found.high + slack;
  };
  const auto is_clearly_close = [](const Finding &found) { return found.value < (1.0 - CLEARLY_CLOSE) * found.low; };
  const bool by_composition =
      std::any_of(composition.begin(), composition.end(), is_clear) && (!species_are_elements_ || !close.empty());
  const bool by_distance = std::any_of(close.begin(), close.end(), is_clearly_close);
  if (!by_composition && !by_distance) return {};

  Swap swap;
  swap.species = better_order(observed);
  swap.certain = by_composition && !swap.species.empty();
  composition.insert(composition.end(), close.begin(), close.end());
  swap.reason = joined_sentences(composition);
  return swap;
}

bool has_close_pairs(const std::vector<double> &closest, const std::vector<double> &min_distance)
{
  for (std::size_t pair = 0; pair < min_distance.size() && pair < closest.size(); ++pair)
    if (is_close(closest[pair], min_distance[pair])) return true;
  return false;
}

std::string unlike_training(const std::vector<Finding> &findings)
{
  std::string remedies;
  for (std::size_t k = 0; k < findings.size(); ++k)
    if (k == 0 || findings[k].quantity != findings[k - 1].quantity)
      remedies += (k == 0 ? "" : "; ") + std::string(remedy_of(findings[k].quantity));
  return "the structure is unlike the training data, and the model extrapolates: " + joined_sentences(findings) + ": " +
         remedies;
}

std::string swapped_elements(const Swap &swap, const std::vector<std::string> &species, const std::string &remedy)
{
  return "the elements seem to be swapped: " + swap.reason + ", but " + exchanged(swap.species, species) +
         " the structure is like the training data: " + remedy;
}

Observed reordered(const Observed &observed, const std::vector<int> &order)
{
  Observed result = observed;
  const int n = static_cast<int>(order.size());
  for (int a = 0; a < n; ++a) {
    result.counts[order[a]] = observed.counts[a];
    if (observed.closest.empty()) continue;
    for (int b = 0; b <= a; ++b)
      result.closest[pair_of_species(order[a], order[b])] = observed.closest[pair_of_species(a, b)];
  }
  return result;
}

}    // namespace vitrify
