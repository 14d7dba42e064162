// SPDX-License-Identifier: BSD-3-Clause
#include "ogn/ogn_engine.h"

#include "base/error.h"
#include "engines/native_base.h"
#include "engines/stride_profile.h"
#include "neighbours/pair_list.h"
#include "neighbours/place_grid.h"
#include "ogn/ogn_tables.h"
#include "ogn/pair_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace vitrify {

namespace {

template <typename T> class NativeOGN : public Engine, private NativeBase<OGNKernels<T>> {
public:
  explicit NativeOGN(const OGNModel &model) :
      profile_(model.n_stages()), tables_(model), lists_(this->n_threads()), sums_(tables_, this->n_threads())
  {
    const auto n_species = static_cast<std::size_t>(model.n_species);
    largest_gates_.resize(this->n_threads());
    stress_.resize(this->n_threads());
    squares_.assign(this->n_threads(), std::vector<double>(n_species * n_species));
    closest_ = no_distances(model.n_species);
  }

  void begin(const Configuration &configuration) override;
  bool needs_exchange() const override { return !places_.periodic(); }
  void layer(int index) override;
  int width() const override { return 3 + tables_.channels + 9 * tables_.moments; }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *dr, double *dv) override;
  bool has_virial() const override { return tables_.has_stress; }
  void ask_virial(bool asked) override
  {
    if (asked && !has_virial()) Engine::ask_virial(asked);
    ask_virial_ = asked;
  }
  std::array<double, 6> virial() const override;
  std::string profile() override { return profile_.report(); }
  std::size_t bytes() const override;

private:
  static constexpr bool SINGLE = std::is_same_v<T, float>;
  using Base = NativeBase<OGNKernels<T>>;
  using Base::c_, Base::grid_, Base::kernels_, Base::memory_;

  // Parts of the atoms for the threads: all but the last end with a whole batch.
  template <typename Task> void share_atoms(std::int64_t n, const Task &task) { this->share(n, task, BATCH); }
  void reserve();
  void copy_nodes(std::int64_t first, std::int64_t last);
  void clear(std::int64_t first, std::int64_t last);
  bool place_nodes(int index, std::int64_t first, std::int64_t last);
  T copy_gates(std::int64_t first, std::int64_t last);
  void sum_pairs(int index);
  void sum_stress(int index);
  template <typename Task> void for_lists(std::size_t number, int index, const Task &task);
  PairPass<T> pass_of(int index);
  NodeUpdate<T> update_of(int index);

  StrideProfile profile_;
  OGNTables<T> tables_;
  std::vector<PairList<T>> lists_;              // of each thread's atoms
  std::vector<std::vector<double>> squares_;    // of each thread: squares of the closest distances

  PairSums<T> sums_;    // of the stage
  bool ask_virial_ = false;
  std::vector<StressSums> stress_;    // of each thread: of all stages so far
  std::vector<T> largest_gates_;      // of each thread: magnitudes

  // Nodes stand in an order of their own: in float32 that of the cells of a grid, so that neighbours are close in
  // memory.
  PlaceGrid places_;                                         // for float32, where the other grid is unused
  std::int64_t n_nodes_ = 0;                                 // without ghosts that are not needed
  Workspace::Array<int> order_{memory_}, where_{memory_};    // of a node in the configuration, and of it here
  Workspace::Array<int> types_{memory_};                     // in this order, as all that follows
  Workspace::Array<double> positions_{memory_}, velocities_{memory_};

  // Of nodes; ogn_kernels.h says what each holds.
  Workspace::Array<NodeRecord<T>> nodes_{memory_};
  Workspace::Array<double> displacements_{memory_};
  Workspace::Array<T> features_{memory_};
  // Of owned atoms.
  Workspace::Array<double> slots_{memory_};
  Workspace::Array<T> remembered_{memory_}, state_{memory_}, before_{memory_};
};

template <typename T> void NativeOGN<T>::reserve()
{
  const auto nodes = static_cast<std::size_t>(n_nodes_), owned = static_cast<std::size_t>(c_.n_owned);
  const OGNTables<T> &t = tables_;
  for (Workspace::Array<int> *one : {&order_, &types_}) one->reserve(nodes);
  where_.reserve(static_cast<std::size_t>(c_.n_nodes));
  positions_.reserve(3 * nodes);
  velocities_.reserve(3 * nodes);
  nodes_.reserve(nodes);
  displacements_.reserve(3 * nodes);
  features_.reserve(t.feature_width * nodes);
  slots_.reserve(4 * (t.stages.size() + 1) * owned);
  state_.reserve(t.scalars * (owned + BATCH));
  before_.reserve(t.scalars * (owned + BATCH));
  if (t.moments) remembered_.reserve(12 * (t.stages.size() - 1) * owned);
}

template <typename T> void NativeOGN<T>::begin(const Configuration &configuration)
{
  profile_.end(StrideProfile::HOST);
  c_ = configuration;
  if constexpr (SINGLE)
    places_.build(c_, tables_.cutoff);
  else
    this->sort_nodes(configuration, tables_.cutoff);
  n_nodes_ = SINGLE ? places_.n_nodes() : c_.n_nodes;
  reserve();
  std::fill(stress_.begin(), stress_.end(), StressSums());
  share_atoms(n_nodes_, [this](std::size_t, std::int64_t first, std::int64_t last) {
    copy_nodes(first, last);
    std::fill_n(displacements_.data() + 3 * first, 3 * (last - first), 0.0);
    std::fill_n(features_.data() + tables_.feature_width * first, tables_.feature_width * (last - first), T(0));
  });
  share_atoms(c_.n_owned, [this](std::size_t number, std::int64_t first, std::int64_t last) {
    if constexpr (SINGLE)
      lists_[number].build(kernels_.search_places, places_, types_.data(), c_.n_owned, first, last, tables_.cutoff,
                           tables_.inner, tables_.most_neighbours, squares_[number]);
    else
      lists_[number].build(kernels_.search, c_, grid_, first, last, tables_.cutoff, tables_.inner, squares_[number]);
    clear(first, last);
  });
  if (lists_.size() > 1)
    share_atoms(c_.n_owned, [this](std::size_t number, std::int64_t, std::int64_t) { lists_[number].adopt(lists_); });
  int most = 0;
  for (const PairList<T> &list : lists_) most = std::max(most, list.most_neighbours());
  sums_.reserve(static_cast<std::size_t>(c_.n_owned), most);
  closest_ = no_distances(tables_.n_species);
  for (const auto &squares : squares_) merge_closest(squares.data(), tables_.n_species, 2, closest_);
  profile_.end(StrideProfile::SEARCH);
}

template <typename T> void NativeOGN<T>::copy_nodes(std::int64_t first, std::int64_t last)
{
  for (std::int64_t i = first; i < last; ++i) {
    const int from = SINGLE ? places_.order()[i] : static_cast<int>(i);
    order_[i] = from;
    where_[from] = static_cast<int>(i);
    types_[i] = c_.types[from];
    for (int k = 0; k < 3; ++k) {
      positions_[3 * i + k] = c_.positions[3 * static_cast<std::int64_t>(from) + k];
      // one that single precision does not hold makes the prediction no number, which every host refuses
      const double velocity = c_.velocities[3 * static_cast<std::int64_t>(from) + k];
      const bool is_held = std::fabs(velocity) <= static_cast<double>(std::numeric_limits<T>::max());
      velocities_[3 * i + k] = is_held ? velocity : std::numeric_limits<double>::quiet_NaN();
    }
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
  if (t.moments)
    std::fill_n(remembered_.data() + 12 * (n_slots - 2) * first, 12 * (n_slots - 2) * (last - first), T(0));
  for (std::int64_t i = first; i < last; ++i) {
    T *state = state_.data() + t.scalars * (i / BATCH * BATCH) + i % BATCH;
    for (int q = 0; q < t.scalars; ++q) state[BATCH * q] = t.embedding[t.scalars * types_[i] + q];
  }
}

// Returns false if an atom moves too far for its place: its prediction will be no number, which every host refuses.
template <typename T> bool NativeOGN<T>::place_nodes(int index, std::int64_t first, std::int64_t last)
{
  const double time = tables_.timestep * tables_.stages[static_cast<std::size_t>(index)].time;
  bool are_held = true;
  for (std::int64_t i = first; i < last; ++i) {
    NodeRecord<T> &node = nodes_[i];
    const double *position = positions_.data() + 3 * i;
    double change[3];
    for (int k = 0; k < 3; ++k) change[k] = displacements_[3 * i + k] + time * velocities_[3 * i + k];
    if constexpr (SINGLE) {
      const bool is_held = places_.frame().place(position, change, node.place);
      if (!is_held) velocities_[3 * i] = std::numeric_limits<double>::quiet_NaN();
      are_held = are_held && is_held;
    } else {
      for (int k = 0; k < 3; ++k) node.place[k] = position[k] + change[k];
    }
    node.place[3] = types_[i];
  }
  return are_held;
}

// Returns the largest magnitude.
template <typename T> T NativeOGN<T>::copy_gates(std::int64_t first, std::int64_t last)
{
  T largest = T(0);
  const int channels = std::min(tables_.channels, 4);
  for (std::int64_t i = first; i < last; ++i)
    for (int c = 0; c < 4; ++c) {
      const T gate = c < channels ? features_[tables_.feature_width * i + c] : T(0);
      nodes_[i].gates[c] = gate;
      largest = std::fabs(gate) <= largest ? largest : std::fabs(gate);    // NaN stays
    }
  return largest;
}

template <typename T> PairPass<T> NativeOGN<T>::pass_of(int index)
{
  PairPass<T> pass = tables_.passes[static_cast<std::size_t>(index)];
  for (int d = 0; d < 3; ++d)
    for (int k = 0; k < 3; ++k) {
      const double unit = SINGLE ? places_.frame().unit(d)[k] : (d == k ? 1.0 : 0.0);
      pass.frame[d][k] = static_cast<T>(unit);
      pass.frame_rest[d][k] = static_cast<T>(unit - static_cast<double>(pass.frame[d][k]));
    }
  pass.oblique = SINGLE && places_.frame().oblique();
  pass.nodes = nodes_.data();
  pass.features = features_.data();
  sums_.describe(pass);
  return pass;
}

template <typename T> NodeUpdate<T> NativeOGN<T>::update_of(int index)
{
  NodeUpdate<T> update = tables_.updates[static_cast<std::size_t>(index)];
  update.nodes = nodes_.data();
  sums_.describe(update);
  update.slots = slots_.data();
  update.remembered = remembered_.data();
  update.state = state_.data();
  update.before = before_.data();
  update.displacements = displacements_.data();
  update.features = features_.data();
  return update;
}

// Calls task(pass) for the pairs in which atoms of a thread are centres, and for those it has from other threads.
template <typename T>
template <typename Task>
void NativeOGN<T>::for_lists(std::size_t number, int index, const Task &task)
{
  const PairList<T> &list = lists_[number];
  PairPass<T> pass = pass_of(index);
  pass.ranges = list.ranges();
  pass.neighbours = list.neighbours();
  pass.distances = list.distances();
  task(pass);
  if (!list.adopted_ranges()) return;
  pass.ranges = list.adopted_ranges();
  pass.neighbours = list.adopted_neighbours();
  pass.distances = list.adopted_distances();
  task(pass);
}

// The sums over the pairs of all atoms.
template <typename T> void NativeOGN<T>::sum_pairs(int index)
{
  share_atoms(c_.n_owned, [&](std::size_t number, std::int64_t first, std::int64_t last) {
    sums_.clear(first, last);
    for_lists(number, index, [&](const PairPass<T> &pass) { kernels_.pass(pass, first, last); });
    sums_.note_magnitudes(number, first, last);
  });
}

template <typename T> void NativeOGN<T>::sum_stress(int index)
{
  const StressWeights<T> weights{tables_.stages[static_cast<std::size_t>(index)].stress.data()};
  share_atoms(c_.n_owned, [&](std::size_t number, std::int64_t first, std::int64_t last) {
    for_lists(number, index,
              [&](const PairPass<T> &pass) { kernels_.stress(pass, weights, first, last, stress_[number]); });
  });
}

// Terms count in halves, so that the sum over all threads is that of any other number of threads.
template <typename T> std::array<double, 6> NativeOGN<T>::virial() const
{
  std::array<double, 6> total{};
  for (int q = 0; q < 6; ++q) {
    std::int64_t halves = 0;
    bool is_number = true;
    for (const StressSums &sums : stress_) {
      halves += sums.halves[q];
      is_number = is_number && sums.is_number;
    }
    total[q] =
        is_number ? static_cast<double>(halves) / (2.0 * StressSums::SCALE) : std::numeric_limits<double>::quiet_NaN();
  }
  return total;
}

template <typename T> void NativeOGN<T>::layer(int index)
{
  profile_.end(StrideProfile::EXCHANGE);
  share_atoms(n_nodes_, [&](std::size_t number, std::int64_t first, std::int64_t last) {
    if (!place_nodes(index, first, last)) stress_[number].is_number = false;
    largest_gates_[number] = copy_gates(first, last);
  });
  double gate = 0.0;
  for (const T one : largest_gates_) gate = one <= gate ? gate : one;    // NaN stays
  sums_.begin(index);
  sum_pairs(index);
  if (sums_.must_be_wider(gate)) sum_pairs(index);
  if (ask_virial_) sum_stress(index);
  if (sums_.wide())
    share_atoms(c_.n_owned, [&](std::size_t, std::int64_t first, std::int64_t last) { sums_.narrow(first, last); });
  profile_.end(StrideProfile::FIRST_STAGE + index);
  // Only now, because the pairs of all threads read the features that this changes.
  share_atoms(c_.n_owned, [&](std::size_t, std::int64_t first, std::int64_t last) {
    kernels_.update(update_of(index), first, last);
  });
  profile_.end(StrideProfile::UPDATE);
}

template <typename T> void NativeOGN<T>::pack(int n, const int *list, double *buffer) const
{
  const int channels = tables_.channels;
  for (int k = 0; k < n; ++k) {
    const std::int64_t node = where_[list[k]];
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
  for (int k = first; k < first + n; ++k) {
    const std::int64_t node = where_[k];
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
  profile_.end(StrideProfile::EXCHANGE);
  const std::int64_t n_slots = static_cast<std::int64_t>(tables_.stages.size()) + 1;
  share_atoms(c_.n_owned, [&](std::size_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const double *changes = slots_.data() + 4 * (n_slots * i + n_slots - 2);
      const std::int64_t to = 3 * static_cast<std::int64_t>(order_[i]);
      for (int k = 0; k < 3; ++k) {
        dr[to + k] = tables_.timestep * velocities_[3 * i + k] + changes[k];
        dv[to + k] = changes[4 + k];
      }
    }
  });
  profile_.end(StrideProfile::UPDATE);
  std::int64_t pairs = 0;
  if (profile_.is_on())
    for (const PairList<T> &list : lists_) pairs += list.count();
  profile_.end_stride(c_.n_owned, pairs);
}

template <typename T> std::size_t NativeOGN<T>::bytes() const
{
  std::size_t sum = this->base_bytes() + tables_.bytes() + sums_.bytes() + places_.bytes();
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
