// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "base/species_pair.h"
#include "base/threads.h"
#include "base/workspace.h"
#include "neighbours/configuration.h"
#include "neighbours/node_grid.h"
#include "neighbours/species_order.h"
#include "simd/instruction_set.h"
#include "simd/sizes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace vitrify {

/// The common part of the native engines: kernels, threads, and the nodes of a configuration in a grid.
template <typename Kernels> class NativeBase {
protected:
  /// Owned atoms of one species whose networks are evaluated together: first ... last - 1 of the species order.
  struct Batch {
    int species;
    std::int64_t first, last;
  };

  NativeBase() : kernels_(chosen_kernels<Kernels>()), threads_(Threads::from_environment()) {}

  std::size_t n_threads() const { return static_cast<std::size_t>(threads_.count()); }

  /// Shares out 0 ... count - 1: each thread calls task(number, first, last), number being its own. With `multiple`,
  /// all parts but the last hold a multiple of so many.
  template <typename Task> void share(std::int64_t count, const Task &task, std::int64_t multiple = 1)
  {
    const std::int64_t groups = (count + multiple - 1) / multiple;
    threads_.run([&](int number) {
      const std::int64_t first = std::min(count, groups * number / threads_.count() * multiple);
      const std::int64_t last = std::min(count, groups * (number + 1) / threads_.count() * multiple);
      task(static_cast<std::size_t>(number), first, last);
    });
  }

  void sort_nodes(const Configuration &configuration, double cutoff)
  {
    c_ = configuration;
    grid_.build(c_, cutoff);
  }

  /// Sorts the owned atoms by species, and cuts each species into batches. The batches, and so the rounding of sums
  /// over a batch, do not depend on the number of threads.
  void make_batches(int n_species)
  {
    order_.build(c_, grid_, n_species);
    batches_.clear();
    Batch batch{0, 0, 0};
    for (; batch.first < c_.n_owned; batch.first = batch.last) {
      while (order_.ends()[static_cast<std::size_t>(batch.species)] <= batch.first) ++batch.species;
      batch.last = std::min<std::int64_t>(batch.first + BATCH, order_.ends()[static_cast<std::size_t>(batch.species)]);
      batches_.push_back(batch);
    }
  }

  /// The node that is atom `at` of the species order.
  std::size_t node_of(std::int64_t at) const { return static_cast<std::size_t>(grid_.ids()[order_.in_grid()[at]]); }

  /// Bytes of the members that are declared here.
  std::size_t base_bytes() const
  { return memory_.bytes() + grid_.bytes() + order_.bytes() + batches_.capacity() * sizeof(Batch); }

  const Kernels kernels_;
  Threads threads_;
  Configuration c_;
  NodeGrid grid_;
  SpeciesOrder order_;
  std::vector<Batch> batches_;
  Workspace memory_;    // of the arrays of the engine that derives from this
};

/// The smallest distances between species that were found from one centre and one neighbour, (species, species), in
/// `least`, become those of each `pair_of_species` in `closest`. `power` is 2 if squares of distances were found.
inline void merge_closest(const double *least, int n_species, int power, std::vector<double> &closest)
{
  for (int a = 0; a < n_species; ++a)
    for (int b = 0; b < n_species; ++b) {
      const double found = least[static_cast<std::size_t>(a) * static_cast<std::size_t>(n_species) + b];
      double &smallest = closest[pair_of_species(a, b)];
      smallest = std::min(smallest, power == 2 ? std::sqrt(found) : found);
    }
}

/// No distance of any pair of species is known.
inline std::vector<double> no_distances(int n_species)
{
  const auto n = static_cast<std::size_t>(n_species);
  return std::vector<double>(n * (n + 1) / 2, std::numeric_limits<double>::infinity());
}

}    // namespace vitrify
