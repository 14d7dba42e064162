// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_engine.h"

#include "base/error.h"
#include "engines/native_base.h"
#include "neighbours/pair_list.h"
#include "ogn/ogn_tables.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace vitrify {

namespace {

template <typename T> class NativeOGN : public Engine, private NativeBase<OGNKernels<T>> {
public:
  explicit NativeOGN(const OGNModel &model) : tables_(model), lists_(this->n_threads())
  {
    const auto n_species = static_cast<std::size_t>(model.n_species);
    squares_.assign(this->n_threads(), std::vector<double>(n_species * n_species));
    closest_ = no_distances(model.n_species);
  }

  void begin(const Configuration &configuration) override;
  void layer(int index) override;
  int width() const override { return 3 + tables_.channels + 9 * tables_.moments; }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *dr, double *dv) override;
  std::size_t bytes() const override;

private:
  using Base = NativeBase<OGNKernels<T>>;
  using Base::c_, Base::grid_, Base::kernels_, Base::memory_;

  // Parts of the atoms for the threads: all but the last end with a whole batch.
  template <typename Task> void share_atoms(std::int64_t n, const Task &task) { this->share(n, task, BATCH); }
  void reserve();
  void clear(std::int64_t first, std::int64_t last);
  void place_nodes(int index, std::int64_t first, std::int64_t last);
  PairPass<T> pass_of(int index);
  NodeUpdate<T> update_of(int index);

  OGNTables<T> tables_;
  std::vector<PairList<T>> lists_;              // of each thread's atoms
  std::vector<std::vector<double>> squares_;    // of each thread: squares of the closest distances

  // Of nodes; ogn_kernels.h says what each holds.
  Workspace::Array<double> places_{memory_}, displacements_{memory_};
  Workspace::Array<T> features_{memory_};
  // Of owned atoms.
  Workspace::Array<double> forces_{memory_}, slots_{memory_};
  Workspace::Array<T> densities_{memory_}, moment_sums_{memory_}, remembered_{memory_}, state_{memory_},
      before_{memory_};
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
    remembered_.reserve(12 * (t.stages.size() - 1) * owned);
  }
}

template <typename T> void NativeOGN<T>::begin(const Configuration &configuration)
{
  this->sort_nodes(configuration, tables_.cutoff);
  reserve();
  share_atoms(c_.n_owned, [this](std::size_t number, std::int64_t first, std::int64_t last) {
    lists_[number].build(kernels_.search, c_, grid_, first, last, tables_.cutoff, tables_.inner, squares_[number]);
    clear(first, last);
  });
  share_atoms(c_.n_nodes, [this](std::size_t, std::int64_t first, std::int64_t last) {
    std::fill_n(displacements_.data() + 3 * first, 3 * (last - first), 0.0);
    std::fill_n(features_.data() + tables_.feature_width * first, tables_.feature_width * (last - first), T(0));
  });
  if (lists_.size() > 1)
    share_atoms(c_.n_owned, [this](std::size_t number, std::int64_t, std::int64_t) { lists_[number].adopt(lists_); });
  closest_ = no_distances(tables_.n_species);
  for (const auto &squares : squares_) merge_closest(squares.data(), tables_.n_species, 2, closest_);
}

template <typename T> void NativeOGN<T>::clear(std::int64_t first, std::int64_t last)
{
  const OGNTables<T> &t = tables_;
  const std::int64_t n_slots = static_cast<std::int64_t>(t.stages.size()) + 1;
  std::fill_n(slots_.data() + 4 * n_slots * first, 4 * n_slots * (last - first), 0.0);
  const std::int64_t batch_end = (last + BATCH - 1) / BATCH * BATCH;    // of the last batch, which may not be full
  std::fill_n(before_.data() + t.scalars * first, t.scalars * (batch_end - first), T(0));
  std::fill_n(state_.data() + t.scalars * first, t.scalars * (batch_end - first), T(0));
  if (t.moments)
    std::fill_n(remembered_.data() + 12 * (n_slots - 2) * first, 12 * (n_slots - 2) * (last - first), T(0));
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
  update.remembered = remembered_.data();
  update.state = state_.data();
  update.before = before_.data();
  update.displacements = displacements_.data();
  update.features = features_.data();
  return update;
}

template <typename T> void NativeOGN<T>::layer(int index)
{
  const OGNTables<T> &t = tables_;
  share_atoms(c_.n_nodes, [&](std::size_t, std::int64_t first, std::int64_t last) { place_nodes(index, first, last); });
  share_atoms(c_.n_owned, [&](std::size_t number, std::int64_t first, std::int64_t last) {
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
  share_atoms(c_.n_owned, [&](std::size_t, std::int64_t first, std::int64_t last) {
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
    // The tensor is symmetric, and stored whole.
    m[8] = m[5];
    m[12] = m[6];
    m[13] = m[10];
  }
}

template <typename T> void NativeOGN<T>::finish(double *dr, double *dv)
{
  const std::int64_t n_slots = static_cast<std::int64_t>(tables_.stages.size()) + 1;
  share_atoms(c_.n_owned, [&](std::size_t, std::int64_t first, std::int64_t last) {
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
  std::size_t sum = this->base_bytes() + tables_.bytes();
  for (const PairList<T> &list : lists_) sum += list.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<Engine> make_ogn_engine(const ModelFile &file)
{
  choose_instruction_set();    // says what is wrong with VITRIFY_SIMD, which is no fault of the file
  const OGNModel model(file);
  try {
    if (file.metadata().dtype == "float64") return std::make_unique<NativeOGN<double>>(model);
    return std::make_unique<NativeOGN<float>>(model);
  } catch (const Error &error) {
    throw Error("model file " + file.path() + ": " + error.what());
  }
}

}    // namespace vitrify
