// SPDX-License-Identifier: BSD-3-Clause
#include "rules/elements.h"

#include "base/error.h"
#include "base/suggestion.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vitrify {

static constexpr int MASS_DIGITS = 6;

static bool fits(double mass, double wanted)
{ return std::fabs(mass - wanted) <= MASS_TOLERANCE * wanted; }

std::string unknown_element(const std::string &element, const std::string &where,
                            const std::vector<std::string> &species)
{
  return "element " + element + where + " is not in the model" + did_you_mean(element, species) + ", which has " +
         joined(species);
}

std::vector<int> species_of_types(const std::vector<std::string> &elements, std::size_t n_types,
                                  const std::vector<std::string> &species, bool allow_null)
{
  if (elements.size() != n_types)
    throw Error(std::string("too ") + (elements.size() < n_types ? "few" : "many") + " elements: got " +
                std::to_string(elements.size()) + " for " + std::to_string(n_types) +
                " atom types; give one for each type, the model has " + joined(species));
  std::vector<int> found;
  for (std::size_t t = 0; t < n_types; ++t) {
    const auto place = std::find(species.begin(), species.end(), elements[t]);
    found.push_back(place == species.end() ? -1 : static_cast<int>(place - species.begin()));
    if (found[t] < 0 && !(allow_null && elements[t] == NULL_ELEMENT))
      throw Error(unknown_element(elements[t], " of type " + std::to_string(t + 1), species));
  }
  if (std::all_of(found.begin(), found.end(), [](int s) { return s < 0; }))
    throw Error("no atom type is mapped to an element: the model has " + joined(species));
  return found;
}

// An order of the species in which all masses fit; empty if there is none.
static std::vector<int> fitting_order(const std::vector<double> &masses, const std::vector<int> &species,
                                      const std::vector<double> &wanted)
{
  if (wanted.size() > MOST_SPECIES) return {};
  std::vector<int> order(wanted.size());
  std::iota(order.begin(), order.end(), 0);
  while (std::next_permutation(order.begin(), order.end())) {
    bool all = true;
    for (std::size_t k = 0; k < masses.size() && all; ++k)
      all = species[k] < 0 || fits(masses[k], wanted[order[species[k]]]);
    if (all) return order;
  }
  return {};
}

WrongMass find_wrong_mass(const std::vector<double> &masses, const std::vector<int> &species,
                          const std::vector<double> &wanted)
{
  if (masses.size() != species.size()) throw Error("there is one species for each mass");
  for (std::size_t k = 0; k < masses.size(); ++k)
    if (species[k] >= 0 && !fits(masses[k], wanted.at(species[k])))
      return {true, k, masses[k], wanted[species[k]], fitting_order(masses, species, wanted)};
  return {};
}

std::string describe(const WrongMass &wrong, const std::string &what, const std::vector<std::string> &names,
                     const std::string &remedy)
{
  const std::string text = what + " has mass " + number(wrong.mass, MASS_DIGITS) + ", but the model was trained with " +
                           number(wrong.wanted, MASS_DIGITS);
  if (wrong.order.empty()) return text + ": " + remedy;
  return text + ", and " + exchanged(wrong.order, names) +
         " all masses fit, so that the elements seem to be swapped: " + remedy;
}

std::string exchanged(const std::vector<int> &order, const std::vector<std::string> &names)
{
  std::vector<std::string> involved, changes;
  for (std::size_t s = 0; s < names.size(); ++s) {
    if (order[s] == static_cast<int>(s)) continue;
    involved.push_back(names[s]);
    changes.push_back(names[order[s]] + " for " + names[s]);
  }
  return "with " + (involved.size() == 2 ? joined(involved, " and ") + " exchanged" : joined(changes, ", "));
}

}    // namespace vitrify
