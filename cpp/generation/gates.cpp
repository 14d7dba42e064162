// SPDX-License-Identifier: BSD-3-Clause
#include "generation/gates.h"

#include "base/error.h"
#include "base/species_pair.h"
#include "base/text.h"

#include <algorithm>

namespace vitrify {

static constexpr double GATE = 0.98;    // of the closest distance in the training data

void refuse_close_pairs(Structure &structure, const std::vector<std::string> &species,
                        const std::vector<double> &min_distance, const double *number_density)
{
  const std::size_t overlaps = count_overlaps(structure, min_distance, GATE);
  if (overlaps == 0) return;
  const double reach = *std::max_element(min_distance.begin(), min_distance.end());
  const std::vector<double> closest = closest_distances(structure, species.size(), reach);
  std::string worst;
  double least = GATE;
  for (std::size_t a = 0; a < species.size(); ++a)
    for (std::size_t b = 0; b <= a; ++b) {
      const std::size_t pair = pair_of_species(static_cast<int>(a), static_cast<int>(b));
      if (!(closest[pair] < least * min_distance[pair])) continue;
      least = closest[pair] / min_distance[pair];
      worst = species[a] + "-" + species[b] + " at " + number(closest[pair]) + ", where the data have " +
              number(min_distance[pair]);
    }
  throw Error(std::to_string(overlaps) + (overlaps == 1 ? " pair of atoms is" : " pairs of atoms are") +
              " closer than in the training data after the atoms were pushed apart (" + worst +
              "): use more steps, a density from " + number(number_density[0]) + " to " + number(number_density[1]) +
              ", or a larger cell");
}

}    // namespace vitrify
