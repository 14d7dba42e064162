// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/symgnn_engine.h"

#include "engines/native_base.h"
#include "symgnn/stiffness_layers.h"
#include "symgnn/symgnn_tables.h"
#include "symgnn/symgnn_workspace.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>

namespace vitrify {

namespace {

template <typename T> class NativeSymGNN : public Engine, private NativeBase<SymGNNKernels<T>> {
public:
  explicit NativeSymGNN(const SymGNNModel &model) : tables_(model, kernels_.lanes), stiffness_(tables_, kernels_)
  {
    for (std::size_t k = 0; k < this->n_threads(); ++k) workspaces_.emplace_back(tables_, kernels_.lanes);
    closest_ = no_distances(model.n_species);
  }

  void begin(const Configuration &configuration) override;
  void layer(int index) override;
  int width() const override { return tables_.stiffness ? std::max(n_fields(), 6) : n_fields(); }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *value, double *deviation) override;
  std::size_t bytes() const override;

private:
  using Base = NativeBase<SymGNNKernels<T>>;
  using Batch = typename Base::Batch;
  using Base::batches_, Base::c_, Base::grid_, Base::kernels_, Base::memory_, Base::order_;

  int n_fields() const { return tables_.members * tables_.fields; }
  bool ghosts_need_compliance() const { return tables_.stiffness && done_ <= HOPS; }
  NeighbourQuery neighbour_query(SymGNNWorkspace<T> &workspace, std::int64_t at, double reach, CellRange *ranges);
  void make_stiffness(SymGNNWorkspace<T> &workspace, const Batch &batch, int order);
  void make_fields(SymGNNWorkspace<T> &workspace, const Batch &batch);
  void read_out(SymGNNWorkspace<T> &workspace, const Batch &batch);
  DescriptorArguments<T> descriptor_arguments(SymGNNWorkspace<T> &workspace) const;
  BondArguments<T> bond_arguments(SymGNNWorkspace<T> &workspace) const;
  ShellSums<T> shell_sums(SymGNNWorkspace<T> &workspace) const;
  Readout<T> readout(SymGNNWorkspace<T> &workspace, int species) const;

  SymGNNTables<T> tables_;
  StiffnessLayers<T> stiffness_;
  std::deque<SymGNNWorkspace<T>> workspaces_;    // of each thread
  int done_ = 0;                                 // layers
  Workspace::Array<T> fields_{memory_};          // (n_nodes, field_width)
  Workspace::Array<T> direct_{memory_};          // (n_owned, members)
  Workspace::Array<double> results_{memory_};    // (n_owned, 2): value and deviation
};

template <typename T> void NativeSymGNN<T>::begin(const Configuration &configuration)
{
  this->sort_nodes(configuration, tables_.cutoff);
  this->make_batches(tables_.n_species);
  done_ = 0;
  const auto nodes = static_cast<std::size_t>(c_.n_nodes), owned = static_cast<std::size_t>(c_.n_owned);
  fields_.fill(nodes * static_cast<std::size_t>(tables_.field_width), T(0));
  direct_.reserve(owned * static_cast<std::size_t>(tables_.members));
  results_.reserve(2 * owned);
  if (tables_.stiffness) stiffness_.begin(nodes, owned);
}

template <typename T>
NeighbourQuery NativeSymGNN<T>::neighbour_query(SymGNNWorkspace<T> &workspace, std::int64_t at, double reach,
                                                CellRange *ranges)
{
  NeighbourQuery query{};
  query.ids = grid_.ids();
  query.types = c_.types;
  workspace.reserve_nodes(grid_.query(order_.in_grid()[at], reach, ranges, query));
  return query;
}

template <typename T> DescriptorArguments<T> NativeSymGNN<T>::descriptor_arguments(SymGNNWorkspace<T> &workspace) const
{
  const SymGNNTables<T> &t = tables_;
  DescriptorArguments<T> d{};
  d.n_species = t.n_species;
  d.degree = t.degree;
  d.basis = t.basis;
  d.harmonics = t.harmonics;
  d.width = t.basis_width;
  d.descriptors = t.n_descriptors - (t.stiffness ? N_STIFFNESS : 0);
  d.inner_square = t.inner * t.inner;
  d.start = static_cast<T>(t.core);
  d.inverse_step = static_cast<T>((t.basis + 1) / (t.inner - t.core));
  d.recursion = t.recursion.data();
  d.centre = t.centre.data();
  d.found = workspace.found.data();
  for (int k = 0; k < 3; ++k) {
    d.vectors[k] = workspace.vectors[k].data();
    d.sorted[k] = workspace.sorted[k].data();
  }
  d.lengths = workspace.lengths.data();
  d.angular = workspace.angular.data();
  d.radial = workspace.radial.data();
  d.densities = workspace.densities.data();
  d.ends = workspace.ends.data();
  return d;
}

template <typename T> BondArguments<T> NativeSymGNN<T>::bond_arguments(SymGNNWorkspace<T> &workspace) const
{
  BondArguments<T> b{};
  b.found = workspace.found.data();
  for (int k = 0; k < 3; ++k) b.vectors[k] = workspace.vectors[k].data();
  b.terms = workspace.bonds.data();
  return b;
}

template <typename T> ShellSums<T> NativeSymGNN<T>::shell_sums(SymGNNWorkspace<T> &workspace) const
{
  const SymGNNTables<T> &t = tables_;
  ShellSums<T> sums{};
  sums.shells = t.shells;
  sums.width = t.field_width;
  sums.cutoff_square = t.cutoff * t.cutoff;
  sums.core = static_cast<T>(t.core);
  sums.inverse_step = static_cast<T>((t.shells + 1) / (t.cutoff - t.core));
  sums.scale = t.shell_scale.data();
  sums.fields = fields_.data();
  sums.n_species = t.n_species;
  sums.least = workspace.least.data();
  sums.found = workspace.found.data();
  sums.squares = workspace.squares.data();
  sums.radial = workspace.angular.data();
  return sums;
}

template <typename T> Readout<T> NativeSymGNN<T>::readout(SymGNNWorkspace<T> &workspace, int species) const
{
  const SymGNNTables<T> &t = tables_;
  Readout<T> r{};
  r.members = t.members;
  r.fields = t.fields;
  r.inputs = t.inputs;
  r.width = t.field_width;
  r.hidden = t.hidden;
  r.hidden_width = t.hidden_width;
  r.linear = t.readout.data() + product(species, t.inputs, t.field_width);
  r.first_weight = t.first_weight.data();
  r.first_bias = t.first_bias.data() + product(species, t.members, t.hidden_width);
  r.last_weight = t.last_weight.data();
  r.arranged = workspace.arranged.data();
  r.hiddens = workspace.hiddens.data();
  return r;
}

template <typename T> void NativeSymGNN<T>::make_stiffness(SymGNNWorkspace<T> &workspace, const Batch &batch, int order)
{
  for (std::int64_t at = batch.first; at < batch.last; ++at) {
    CellRange ranges[MAX_RANGES];
    const double reach = order == 0 ? tables_.cutoff : tables_.inner;
    const NeighbourQuery query = neighbour_query(workspace, at, reach, ranges);
    stiffness_.run(order, query, bond_arguments(workspace));
  }
}

template <typename T> void NativeSymGNN<T>::make_fields(SymGNNWorkspace<T> &workspace, const Batch &batch)
{
  const SymGNNTables<T> &t = tables_;
  const int n = static_cast<int>(batch.last - batch.first);
  for (int k = 0; k < n; ++k) {
    CellRange ranges[MAX_RANGES];
    const NeighbourQuery query = neighbour_query(workspace, batch.first + k, t.inner, ranges);
    T *row = workspace.descriptors.data() + product(k, t.n_descriptors);
    kernels_.describe(descriptor_arguments(workspace), query, row);
    if (t.stiffness) {
      const int first = t.n_descriptors - N_STIFFNESS;
      const T *more = stiffness_.descriptors(query.ids[query.place]);
      for (int q = 0; q < N_STIFFNESS; ++q) row[first + q] = more[q] - t.centre[static_cast<std::size_t>(first + q)];
    }
    std::copy_n(t.field_bias.data() + product(batch.species, t.given_width), t.given_width,
                workspace.given.data() + product(k, t.given_width));
  }
  Product<T> p{};
  p.rows = n;
  p.inner = t.n_descriptors;
  p.width = t.given_width;
  p.x = workspace.descriptors.data();
  p.x_stride = t.n_descriptors;
  p.w = t.field_weight.data() + product(batch.species, t.n_descriptors, t.given_width);
  p.y = workspace.given.data();
  kernels_.multiply(p);
  for (int k = 0; k < n; ++k) {
    const auto node = this->node_of(batch.first + k);
    const T *given = workspace.given.data() + product(k, t.given_width);
    std::copy_n(given, n_fields(), fields_.data() + node * static_cast<std::size_t>(t.field_width));
    std::copy_n(given + n_fields(), t.members, direct_.data() + node * static_cast<std::size_t>(t.members));
  }
}

template <typename T> void NativeSymGNN<T>::read_out(SymGNNWorkspace<T> &workspace, const Batch &batch)
{
  const SymGNNTables<T> &t = tables_;
  const int n = static_cast<int>(batch.last - batch.first);
  for (int k = 0; k < n; ++k) {
    CellRange ranges[MAX_RANGES];
    const NeighbourQuery query = neighbour_query(workspace, batch.first + k, t.cutoff, ranges);
    const auto node = static_cast<std::size_t>(query.ids[query.place]);
    T *values = workspace.values.data() + product(k, t.inputs, t.field_width);
    std::copy_n(fields_.data() + node * static_cast<std::size_t>(t.field_width), t.field_width, values);
    std::fill_n(values + t.field_width, product(t.shells, t.field_width), T(0));
    kernels_.sum_shells(shell_sums(workspace), query, values + t.field_width);
    std::copy_n(direct_.data() + node * static_cast<std::size_t>(t.members), t.members,
                workspace.direct.data() + product(k, t.members));
  }
  kernels_.read_out(readout(workspace, batch.species), n, workspace.values.data(), workspace.direct.data(),
                    workspace.members.data());
  for (int k = 0; k < n; ++k) {
    const auto node = this->node_of(batch.first + k);
    const T *members = workspace.members.data() + product(k, t.members);
    double mean = 0.0, spread = 0.0;
    for (int m = 0; m < t.members; ++m) mean += members[m] / static_cast<double>(t.members);
    for (int m = 0; m < t.members; ++m)
      spread += (members[m] - mean) * (members[m] - mean) / static_cast<double>(t.members);
    results_[2 * node] = t.label_mean[static_cast<std::size_t>(batch.species)] + t.label_scale * mean;
    results_[2 * node + 1] = t.label_scale * std::sqrt(t.residual * t.residual + t.spread_gain * spread);
  }
}

template <typename T> void NativeSymGNN<T>::layer(int index)
{
  const int fields = tables_.stiffness ? HOPS : 0;    // the layer that makes them
  this->share(
      static_cast<std::int64_t>(batches_.size()), [&](std::size_t number, std::int64_t first, std::int64_t last) {
        SymGNNWorkspace<T> &workspace = workspaces_[number];
        workspace.least.fill(product(tables_.n_species, tables_.n_species), std::numeric_limits<double>::infinity());
        for (std::int64_t b = first; b < last; ++b) {
          const Batch &batch = batches_[static_cast<std::size_t>(b)];
          if (tables_.stiffness && index <= HOPS) make_stiffness(workspace, batch, index);
          if (index == fields) make_fields(workspace, batch);
          if (index > fields) read_out(workspace, batch);
        }
      });
  done_ = index + 1;
  if (index <= fields) return;
  closest_ = no_distances(tables_.n_species);
  for (const SymGNNWorkspace<T> &workspace : workspaces_)
    merge_closest(workspace.least.data(), tables_.n_species, 2, closest_);
}

template <typename T> void NativeSymGNN<T>::pack(int n, const int *list, double *buffer) const
{
  const bool compliance = ghosts_need_compliance();
  const int columns = compliance ? 6 : n_fields();
  for (int k = 0; k < n; ++k, buffer += width()) {
    const T *row =
        compliance ? stiffness_.compliance(done_ - 1, list[k]) : fields_.data() + product(list[k], tables_.field_width);
    std::copy_n(row, columns, buffer);
    std::fill(buffer + columns, buffer + width(), 0.0);
  }
}

template <typename T> void NativeSymGNN<T>::unpack(int n, int first, const double *buffer)
{
  const bool compliance = ghosts_need_compliance();
  const int columns = compliance ? 6 : n_fields();
  for (int node = first; node < first + n; ++node, buffer += width()) {
    T *row = compliance ? stiffness_.compliance(done_ - 1, node) : fields_.data() + product(node, tables_.field_width);
    for (int q = 0; q < columns; ++q) row[q] = static_cast<T>(buffer[q]);
  }
}

template <typename T> void NativeSymGNN<T>::finish(double *value, double *deviation)
{
  for (std::int64_t i = 0; i < c_.n_owned; ++i) {
    value[i] = results_[static_cast<std::size_t>(2 * i)];
    deviation[i] = results_[static_cast<std::size_t>(2 * i + 1)];
  }
}

template <typename T> std::size_t NativeSymGNN<T>::bytes() const
{
  std::size_t sum = this->base_bytes() + tables_.bytes() + stiffness_.bytes();
  for (const SymGNNWorkspace<T> &workspace : workspaces_) sum += workspace.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<Engine> make_symgnn_engine(const ModelFile &file)
{
  choose_instruction_set();    // says what is wrong with VITRIFY_SIMD, which is no fault of the file
  const SymGNNModel model(file);
  if (file.metadata().dtype == "float64") return std::make_unique<NativeSymGNN<double>>(model);
  return std::make_unique<NativeSymGNN<float>>(model);
}

}    // namespace vitrify
