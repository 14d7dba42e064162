// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_engine.h"

#include "base/error.h"
#include "base/threads.h"
#include "neighbours/node_grid.h"
#include "neighbours/pair_list.h"
#include "ogn/ogn_tables.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

template <typename T> class NativeOGN : public Engine {
public:
  explicit NativeOGN(const OGNModel &model) :
      tables_(model), kernels_(chosen_kernels<OGNKernels<T>>()), threads_(Threads::from_environment())
  {
    const auto n_threads = static_cast<std::size_t>(threads_.count());
    lists_.resize(n_threads);
    squares_.assign(n_threads, std::vector<double>(static_cast<std::size_t>(model.n_species * model.n_species)));
    closest_.assign(static_cast<std::size_t>(model.n_pairs), std::numeric_limits<double>::infinity());
  }

  void begin(const Configuration &configuration) override;
  bool needs_lists() const override { return false; }
  void layer(int index) override;
  int width() const override { return 3 + tables_.channels + 9 * tables_.moments; }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *dr, double *dv) override;
  std::size_t bytes() const override;

private:
  // Chunk `number` of n things, one for each thread; all but the last end with a whole batch.
  std::pair<std::int64_t, std::int64_t> chunk(std::int64_t n, int number) const
  {
    const std::int64_t batches = (n + BATCH - 1) / BATCH;
    const auto end = [&](int k) { return std::min(n, batches * k / threads_.count() * BATCH); };
    return {end(number), end(number + 1)};
  }
  void reserve();
  void clear(std::int64_t first, std::int64_t last);
  void place_nodes(int index, std::int64_t first, std::int64_t last);
  PairPass<T> pass_of(int index);
  NodeUpdate<T> update_of(int index);

  OGNTables<T> tables_;
  OGNKernels<T> kernels_;
  Threads threads_;

  Configuration c_;
  NodeGrid grid_;
  std::vector<PairList<T>> lists_;              // of each thread's atoms
  std::vector<std::vector<double>> squares_;    // of each thread: squares of the closest distances

  // Of nodes; simd/instruction_set.h says what each holds.
  Buffer<double> places_, displacements_;
  Buffer<T> features_;
  // Of owned atoms.
  Buffer<double> forces_, slots_;
  Buffer<T> densities_, moment_sums_, seen_, state_, before_;
};

template <typename T> void NativeOGN<T>::reserve()
{
  const auto nodes = static_cast<std::size_t>(c_.n_nodes), owned = static_cast<std::size_t>(c_.n_owned);
  const OGNTables<T> &t = tables_;
  places_.reserve(4 * nodes);
  displacements_.reserve(3 * nodes);
  features_.reserve(t.feature_width * nodes);
  forces_.reserve(4 * t.channels * owned);
  slots_.reserve(4 * (t.stages.size() + 1) * owned);
  densities_.reserve(t.density_width() * owned);
  state_.reserve(t.scalars * (owned + BATCH));
  before_.reserve(t.scalars * (owned + BATCH));
  if (t.moments) {
    moment_sums_.reserve(12 * owned);
    seen_.reserve(12 * (t.stages.size() - 1) * owned);
  }
}

template <typename T> void NativeOGN<T>::begin(const Configuration &configuration)
{
  c_ = configuration;
  reserve();
  grid_.build(c_, tables_.cutoff);
  threads_.run([this](int number) {
    const auto [first, last] = chunk(c_.n_owned, number);
    lists_[number].build(kernels_.search, c_, grid_, first, last, tables_.cutoff, tables_.inner, squares_[number]);
    clear(first, last);
    const auto [low, high] = chunk(c_.n_nodes, number);
    std::fill_n(displacements_.data() + 3 * low, 3 * (high - low), 0.0);
    std::fill_n(features_.data() + tables_.feature_width * low, tables_.feature_width * (high - low), T(0));
  });
  if (threads_.count() > 1) threads_.run([this](int number) { lists_[number].adopt(lists_); });
  std::fill(closest_.begin(), closest_.end(), std::numeric_limits<double>::infinity());
  for (const auto &squares : squares_)
    for (int a = 0; a < tables_.n_species; ++a)
      for (int b = 0; b < tables_.n_species; ++b) {
        double &least = closest_[pair_of_species(a, b)];
        least = std::min(least, std::sqrt(squares[static_cast<std::size_t>(a * tables_.n_species + b)]));
      }
}

template <typename T> void NativeOGN<T>::clear(std::int64_t first, std::int64_t last)
{
  const OGNTables<T> &t = tables_;
  const std::int64_t n_slots = static_cast<std::int64_t>(t.stages.size()) + 1;
  std::fill_n(slots_.data() + 4 * n_slots * first, 4 * n_slots * (last - first), 0.0);
  const std::int64_t batch_end = (last + BATCH - 1) / BATCH * BATCH;    // of the last batch, which may not be full
  std::fill_n(before_.data() + t.scalars * first, t.scalars * (batch_end - first), T(0));
  std::fill_n(state_.data() + t.scalars * first, t.scalars * (batch_end - first), T(0));
  if (t.moments) std::fill_n(seen_.data() + 12 * (n_slots - 2) * first, 12 * (n_slots - 2) * (last - first), T(0));
  for (std::int64_t i = first; i < last; ++i) {
    T *state = state_.data() + t.scalars * (i / BATCH * BATCH) + i % BATCH;
    for (int q = 0; q < t.scalars; ++q) state[BATCH * q] = t.embedding[t.scalars * c_.types[i] + q];
  }
}

template <typename T> void NativeOGN<T>::place_nodes(int index, std::int64_t first, std::int64_t last)
{
  const double time = tables_.timestep * tables_.stages[static_cast<std::size_t>(index)].time;
  for (std::int64_t i = first; i < last; ++i) {
    for (int k = 0; k < 3; ++k) {
      const std::int64_t at = 3 * i + k;
      places_[4 * i + k] = c_.positions[at] + (displacements_[at] + time * c_.velocities[at]);
    }
    places_[4 * i + 3] = c_.types[i];
  }
}

template <typename T> PairPass<T> NativeOGN<T>::pass_of(int index)
{
  PairPass<T> pass = tables_.passes[static_cast<std::size_t>(index)];
  pass.places = places_.data();
  pass.features = features_.data();
  pass.forces = forces_.data();
  pass.densities = densities_.data();
  pass.moment_sums = moment_sums_.data();
  return pass;
}

template <typename T> NodeUpdate<T> NativeOGN<T>::update_of(int index)
{
  NodeUpdate<T> update = tables_.updates[static_cast<std::size_t>(index)];
  update.places = places_.data();
  update.forces = forces_.data();
  update.densities = densities_.data();
  update.moment_sums = moment_sums_.data();
  update.slots = slots_.data();
  update.seen = seen_.data();
  update.state = state_.data();
  update.before = before_.data();
  update.displacements = displacements_.data();
  update.features = features_.data();
  return update;
}

template <typename T> void NativeOGN<T>::layer(int index)
{
  const OGNTables<T> &t = tables_;
  threads_.run([&](int number) {
    const auto [low, high] = chunk(c_.n_nodes, number);
    place_nodes(index, low, high);
  });
  threads_.run([&](int number) {
    const auto [first, last] = chunk(c_.n_owned, number);
    const std::int64_t n = last - first;
    std::fill_n(forces_.data() + 4 * t.channels * first, 4 * t.channels * n, 0.0);
    std::fill_n(densities_.data() + t.density_width() * first, t.density_width() * n, T(0));
    if (t.moments) std::fill_n(moment_sums_.data() + 12 * first, 12 * n, T(0));
    const PairList<T> &list = lists_[number];
    PairPass<T> pass = pass_of(index);
    pass.ranges = list.ranges();
    pass.neighbours = list.neighbours();
    pass.distances = list.distances();
    kernels_.pass(pass, first, last);
    if (!list.adopted_ranges()) return;
    pass.ranges = list.adopted_ranges();
    pass.neighbours = list.adopted_neighbours();
    pass.distances = list.adopted_distances();
    kernels_.pass(pass, first, last);
  });
  // Only now, because the pairs of all threads read the features that this changes.
  threads_.run([&](int number) {
    const auto [first, last] = chunk(c_.n_owned, number);
    kernels_.update(update_of(index), first, last);
  });
}

template <typename T> void NativeOGN<T>::pack(int n, const int *list, double *buffer) const
{
  const int channels = tables_.channels;
  for (int k = 0; k < n; ++k) {
    const std::int64_t node = list[k];
    const double *u = displacements_.data() + 3 * node;
    const T *row = features_.data() + tables_.feature_width * node;
    for (int q = 0; q < 3; ++q) *buffer++ = u[q];
    for (int c = 0; c < channels; ++c) *buffer++ = row[c];
    if (tables_.moments)
      for (const int place : MOMENT_PLACES) *buffer++ = row[tables_.moment_offset + place];
  }
}

template <typename T> void NativeOGN<T>::unpack(int n, int first, const double *buffer)
{
  const int channels = tables_.channels;
  for (std::int64_t node = first; node < first + n; ++node) {
    double *u = displacements_.data() + 3 * node;
    T *row = features_.data() + tables_.feature_width * node;
    for (int q = 0; q < 3; ++q) u[q] = *buffer++;
    for (int c = 0; c < channels; ++c) row[c] = static_cast<T>(*buffer++);
    if (!tables_.moments) continue;
    T *m = row + tables_.moment_offset;
    for (const int place : MOMENT_PLACES) m[place] = static_cast<T>(*buffer++);
    // The tensor is stored by columns: below its diagonal stands what is above.
    m[8] = m[5];
    m[12] = m[6];
    m[13] = m[10];
  }
}

template <typename T> void NativeOGN<T>::finish(double *dr, double *dv)
{
  const std::int64_t n_slots = static_cast<std::int64_t>(tables_.stages.size()) + 1;
  threads_.run([&](int number) {
    const auto [first, last] = chunk(c_.n_owned, number);
    for (std::int64_t i = first; i < last; ++i) {
      const double *changes = slots_.data() + 4 * (n_slots * i + n_slots - 2);
      for (int k = 0; k < 3; ++k) {
        dr[3 * i + k] = tables_.timestep * c_.velocities[3 * i + k] + changes[k];
        dv[3 * i + k] = changes[4 + k];
      }
    }
  });
}

template <typename T> std::size_t NativeOGN<T>::bytes() const
{
  std::size_t sum = tables_.bytes() + grid_.bytes() + places_.bytes() + displacements_.bytes() + features_.bytes() +
                    forces_.bytes() + slots_.bytes() + densities_.bytes() + moment_sums_.bytes() + seen_.bytes() +
                    state_.bytes() + before_.bytes();
  for (const PairList<T> &list : lists_) sum += list.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<Engine> make_ogn_engine(const ModelFile &file)
{
  const OGNModel model(file);
  try {
    if (file.metadata().dtype == "float64") return std::make_unique<NativeOGN<double>>(model);
    return std::make_unique<NativeOGN<float>>(model);
  } catch (const Error &error) {
    throw Error("model file " + file.path() + ": " + error.what());
  }
}

}    // namespace vitrify
