// SPDX-License-Identifier: BSD-3-Clause
#include "neighbours/overlaps.h"

#include "base/counter_rng.h"
#include "base/error.h"
#include "base/species_pair.h"
#include "neighbours/images.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace vitrify {

namespace {

constexpr double BEYOND = 1.001;    // how far a pair is moved apart, in its distance
constexpr double SKIN = 0.15;       // of the largest distance: how far atoms move before pairs are listed anew

struct Pair {
  int i, j;
  Vector3 shift;    // r_j + shift - r_i is the vector of the pair
};

std::array<Vector3, 3> reciprocal(const std::array<Vector3, 3> &cell)
{
  if (!(std::fabs(signed_volume(cell)) > 0.0))
    throw Error("the cell has no volume: give three independent cell vectors");
  return reciprocal_cell(cell);
}

Vector3 vector_of(const Structure &structure, const Pair &pair)
{
  Vector3 v;
  for (std::size_t k = 0; k < 3; ++k)
    v[k] = structure.positions[3 * static_cast<std::size_t>(pair.j) + k] + pair.shift[k] -
           structure.positions[3 * static_cast<std::size_t>(pair.i) + k];
  return v;
}

std::size_t species_of(const Structure &structure, const Pair &pair)
{
  return pair_of_species(structure.types[static_cast<std::size_t>(pair.i)],
                         structure.types[static_cast<std::size_t>(pair.j)]);
}

/// Atoms of a wrapped structure in bins along the cell vectors.
class Bins {
public:
  Bins(const Structure &structure, double reach) : structure_(structure), reach_(reach)
  {
    const std::size_t n = structure.types.size();
    const auto rows = reciprocal(structure.cell);
    check_images(structure.cell, {true, true, true}, n, reach);
    double heights[3];
    for (int d = 0; d < 3; ++d) {
      heights[d] = cell_height(structure.cell, d);
      size_[d] = static_cast<int>(std::clamp(heights[d] / reach, 1.0, 1e5));
    }
    const auto bins = [this] { return static_cast<double>(size_[0]) * size_[1] * size_[2]; };
    while (bins() > 8.0 * static_cast<double>(n) + 64.0) {    // most would be empty
      int &largest = *std::max_element(size_, size_ + 3);
      largest = (largest + 1) / 2;
    }
    for (int d = 0; d < 3; ++d) { extent_[d] = static_cast<int>(std::ceil(reach * size_[d] / heights[d])); }
    first_.assign(static_cast<std::size_t>(bins()) + 1, 0);
    places_.resize(3 * n);
    order_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      for (int d = 0; d < 3; ++d) {
        const Vector3 r{structure.positions[3 * i], structure.positions[3 * i + 1], structure.positions[3 * i + 2]};
        const double place = std::floor(dot(rows[d], r) * size_[d]);
        places_[3 * i + static_cast<std::size_t>(d)] =
            place > 0.0 ? static_cast<int>(std::min(place, size_[d] - 1.0)) : 0;
      }
      ++first_[bin(i) + 1];
    }
    for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
    std::vector<int> next(first_.begin(), first_.end() - 1);
    for (std::size_t i = 0; i < n; ++i) order_[static_cast<std::size_t>(next[bin(i)]++)] = static_cast<int>(i);
  }

  /// Calls visit(pair, squared distance) once for each pair within the reach, images of the same two atoms included.
  template <typename Visit> void pairs(Visit &&visit) const
  {
    const std::size_t n = structure_.types.size();
    for (std::size_t i = 0; i < n; ++i)
      for (int a = -extent_[0]; a <= extent_[0]; ++a)
        for (int b = -extent_[1]; b <= extent_[1]; ++b)
          for (int c = -extent_[2]; c <= extent_[2]; ++c) visit_bin(i, {a, b, c}, visit);
  }

private:
  std::size_t bin(std::size_t i) const { return bin(places_[3 * i], places_[3 * i + 1], places_[3 * i + 2]); }
  std::size_t bin(int a, int b, int c) const
  {
    return (static_cast<std::size_t>(a) * size_[1] + static_cast<std::size_t>(b)) * size_[2] +
           static_cast<std::size_t>(c);
  }

  template <typename Visit> void visit_bin(std::size_t i, const std::array<int, 3> &offset, Visit &&visit) const
  {
    int place[3];
    Pair pair{static_cast<int>(i), 0, {0.0, 0.0, 0.0}};
    bool is_later = false;    // of an atom and its own images, one of each two opposite ones counts
    for (int d = 2; d >= 0; --d) {
      const int raw = places_[3 * i + static_cast<std::size_t>(d)] + offset[d];
      const int turns = raw >= 0 ? raw / size_[d] : -((size_[d] - 1 - raw) / size_[d]);
      place[d] = raw - turns * size_[d];
      if (turns != 0) is_later = turns > 0;
      for (std::size_t k = 0; k < 3; ++k) pair.shift[k] += turns * structure_.cell[d][k];
    }
    const std::size_t b = bin(place[0], place[1], place[2]);
    for (int at = first_[b]; at < first_[b + 1]; ++at) {
      pair.j = order_[static_cast<std::size_t>(at)];
      if (pair.j < pair.i || (pair.j == pair.i && !is_later)) continue;
      const Vector3 v = vector_of(structure_, pair);
      const double square = dot(v, v);
      if (square < reach_ * reach_) visit(pair, square);
    }
  }

  const Structure &structure_;
  double reach_;
  int size_[3] = {}, extent_[3] = {};
  std::vector<int> places_, order_, first_;
};

// The line along which a pair is moved apart; any, if both atoms stand at one place.
Vector3 direction(const Pair &pair, const Vector3 &v, double distance)
{
  if (distance > 1e-6) return {v[0] / distance, v[1] / distance, v[2] / distance};
  // Seeds of users begin at 1: seed 0 is free for what no seed decides.
  const auto random = normal3({static_cast<std::uint32_t>(pair.i), static_cast<std::uint32_t>(pair.j), 0, 0}, {0, 0});
  const double length = std::sqrt(dot(random, random));
  return {random[0] / length, random[1] / length, random[2] / length};
}

// Moves all pairs of the list that are too close; returns their number and the largest distance that an atom moved.
std::size_t sweep(Structure &structure, const std::vector<Pair> &pairs, const std::vector<double> &min_distance,
                  std::vector<double> &moves, double &farthest)
{
  std::fill(moves.begin(), moves.end(), 0.0);
  std::size_t found = 0;
  for (const Pair &pair : pairs) {
    const Vector3 v = vector_of(structure, pair);
    const double distance = std::sqrt(dot(v, v)), wanted = min_distance[species_of(structure, pair)];
    if (!(distance < wanted)) continue;
    ++found;
    const Vector3 line = direction(pair, v, distance);
    const double half = 0.5 * (wanted * BEYOND - distance);
    for (std::size_t k = 0; k < 3; ++k) {
      moves[3 * static_cast<std::size_t>(pair.i) + k] -= half * line[k];
      moves[3 * static_cast<std::size_t>(pair.j) + k] += half * line[k];
    }
  }
  double square = 0.0;
  for (std::size_t i = 0; i < structure.types.size(); ++i) {
    const Vector3 move{moves[3 * i], moves[3 * i + 1], moves[3 * i + 2]};
    square = std::max(square, dot(move, move));
    for (std::size_t k = 0; k < 3; ++k) structure.positions[3 * i + k] += move[k];
  }
  farthest = std::sqrt(square);
  return found;
}

}    // namespace

void wrap(Structure &structure)
{
  const auto rows = reciprocal(structure.cell);
  check_positions(rows, structure.types.size(), structure.positions.data());
  for (std::size_t i = 0; i < structure.types.size(); ++i)
    for (int d = 0; d < 3; ++d) {
      double *r = structure.positions.data() + 3 * i;
      const double turns = std::floor(rows[d][0] * r[0] + rows[d][1] * r[1] + rows[d][2] * r[2]);
      for (std::size_t k = 0; k < 3; ++k) r[k] -= turns * structure.cell[d][k];
    }
}

std::vector<double> closest_distances(Structure &structure, std::size_t n_species, double reach)
{
  wrap(structure);
  std::vector<double> closest(n_species * (n_species + 1) / 2, std::numeric_limits<double>::infinity());
  Bins(structure, reach).pairs([&](const Pair &pair, double square) {
    double &least = closest[species_of(structure, pair)];
    least = std::min(least, std::sqrt(square));
  });
  return closest;
}

std::size_t count_overlaps(Structure &structure, const std::vector<double> &min_distance, double share)
{
  const double reach = share * *std::max_element(min_distance.begin(), min_distance.end());
  if (!(reach > 0.0)) return 0;
  wrap(structure);
  std::size_t found = 0;
  Bins(structure, reach).pairs([&](const Pair &pair, double square) {
    const double limit = share * min_distance[species_of(structure, pair)];
    found += square < limit * limit ? 1 : 0;
  });
  return found;
}

std::size_t push_apart(Structure &structure, const std::vector<double> &min_distance, int max_sweeps)
{
  const double largest = *std::max_element(min_distance.begin(), min_distance.end());
  if (!(largest > 0.0)) return 0;
  std::vector<Pair> pairs;
  std::vector<double> moves(structure.positions.size());
  double moved = std::numeric_limits<double>::infinity();    // since the list was made, at most
  std::size_t at_start = 0;
  for (int number = 0; number < max_sweeps; ++number) {
    if (2.0 * moved > SKIN * largest) {
      wrap(structure);
      pairs.clear();
      Bins(structure, (1.0 + SKIN) * largest).pairs([&](const Pair &pair, double) { pairs.push_back(pair); });
      moved = 0.0;
    }
    double farthest = 0.0;
    const std::size_t found = sweep(structure, pairs, min_distance, moves, farthest);
    moved += farthest;
    if (number == 0) at_start = found;
    if (found == 0) break;
  }
  wrap(structure);
  return at_start;
}

}    // namespace vitrify
