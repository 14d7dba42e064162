// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/symgnn_engine.h"

#include "base/threads.h"
#include "neighbours/node_grid.h"
#include "neighbours/species_order.h"
#include "symgnn/stiffness_layers.h"
#include "symgnn/symgnn_tables.h"
#include "symgnn/symgnn_workspace.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vitrify {

namespace {

template <typename T> class NativeSymGNN : public Engine {
public:
  explicit NativeSymGNN(const SymGNNModel &model) :
      kernels_(chosen_kernels<SymGNNKernels<T>>()), tables_(model, kernels_.lanes), stiffness_(tables_, kernels_),
      threads_(Threads::from_environment()), workspaces_(static_cast<std::size_t>(threads_.count()))
  {
    for (SymGNNWorkspace<T> &workspace : workspaces_) workspace.reserve(tables_, kernels_.lanes);
    closest_.assign(product(model.n_species, model.n_species + 1) / 2, std::numeric_limits<double>::infinity());
  }

  void begin(const Configuration &configuration) override;
  bool needs_lists() const override { return false; }
  void layer(int index) override;
  int width() const override { return tables_.stiffness ? std::max(n_fields(), 6) : n_fields(); }
  void pack(int n, const int *list, double *buffer) const override;
  void unpack(int n, int first, const double *buffer) override;
  void finish(double *value, double *deviation) override;
  std::size_t bytes() const override;

private:
  // Atoms of one species: first ... last - 1 of the order.
  struct Batch {
    int species;
    std::int64_t first, last;
  };

  int n_fields() const { return tables_.members * tables_.fields; }
  template <typename Task> void for_batches(int number, const Task &task);
  NeighbourQuery neighbour_query(SymGNNWorkspace<T> &workspace, std::int64_t at, double reach, CellRange *ranges);
  void stiffen(SymGNNWorkspace<T> &workspace, const Batch &batch, int order);
  void make_fields(SymGNNWorkspace<T> &workspace, const Batch &batch);
  void read_out(SymGNNWorkspace<T> &workspace, const Batch &batch);
  DescriptorArguments<T> descriptor_arguments(SymGNNWorkspace<T> &workspace) const;
  BondArguments<T> bond_arguments(SymGNNWorkspace<T> &workspace) const;
  ShellSums<T> shell_sums(SymGNNWorkspace<T> &workspace) const;
  Readout<T> readout(SymGNNWorkspace<T> &workspace, int species) const;
  void find_closest();

  SymGNNKernels<T> kernels_;
  SymGNNTables<T> tables_;
  StiffnessLayers<T> stiffness_;
  Threads threads_;
  std::vector<SymGNNWorkspace<T>> workspaces_;

  Configuration c_;
  int done_ = 0;    // layers
  NodeGrid grid_;
  SpeciesOrder order_;
  Buffer<T> fields_;          // (n_nodes, field_width)
  Buffer<T> direct_;          // (n_owned, members)
  Buffer<double> results_;    // (n_owned, 2): value and deviation
};

template <typename T> void NativeSymGNN<T>::begin(const Configuration &configuration)
{
  c_ = configuration;
  done_ = 0;
  const auto nodes = static_cast<std::size_t>(c_.n_nodes), owned = static_cast<std::size_t>(c_.n_owned);
  fields_.reserve(nodes * static_cast<std::size_t>(tables_.field_width));
  direct_.reserve(owned * static_cast<std::size_t>(tables_.members));
  results_.reserve(2 * owned);
  if (tables_.stiffness) stiffness_.begin(nodes, owned);
  grid_.build(c_, tables_.cutoff);
  order_.build(c_, grid_, tables_.n_species);
  std::fill_n(fields_.data(), nodes * static_cast<std::size_t>(tables_.field_width), T(0));
}

template <typename T> template <typename Task> void NativeSymGNN<T>::for_batches(int number, const Task &task)
{
  const std::int64_t first = c_.n_owned * number / threads_.count();
  const std::int64_t end = c_.n_owned * (number + 1) / threads_.count();
  Batch batch{0, first, first};
  for (; batch.first < end; batch.first = batch.last) {
    while (order_.ends()[static_cast<std::size_t>(batch.species)] <= batch.first) ++batch.species;
    batch.last = std::min({batch.first + BATCH, end, order_.ends()[static_cast<std::size_t>(batch.species)]});
    task(batch);
  }
}

template <typename T>
NeighbourQuery NativeSymGNN<T>::neighbour_query(SymGNNWorkspace<T> &workspace, std::int64_t at, double reach,
                                                CellRange *ranges)
{
  NeighbourQuery s{};
  s.ids = grid_.ids();
  s.types = c_.types;
  workspace.reserve_nodes(grid_.surround(order_.places()[at], reach, ranges, s));
  return s;
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

template <typename T> void NativeSymGNN<T>::stiffen(SymGNNWorkspace<T> &workspace, const Batch &batch, int order)
{
  for (std::int64_t at = batch.first; at < batch.last; ++at) {
    CellRange ranges[MAX_RANGES];
    const NeighbourQuery s = neighbour_query(workspace, at, order == 0 ? tables_.cutoff : tables_.inner, ranges);
    stiffness_.stiffen(order, s, bond_arguments(workspace));
  }
}

template <typename T> void NativeSymGNN<T>::make_fields(SymGNNWorkspace<T> &workspace, const Batch &batch)
{
  const SymGNNTables<T> &t = tables_;
  const int n = static_cast<int>(batch.last - batch.first);
  for (int k = 0; k < n; ++k) {
    CellRange ranges[MAX_RANGES];
    const NeighbourQuery s = neighbour_query(workspace, batch.first + k, t.inner, ranges);
    T *row = workspace.descriptors.data() + product(k, t.n_descriptors);
    kernels_.describe(descriptor_arguments(workspace), s, row);
    if (t.stiffness) {
      const int first = t.n_descriptors - N_STIFFNESS;
      const T *more = stiffness_.descriptors(s.ids[s.place]);
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
    const auto node = static_cast<std::size_t>(grid_.ids()[order_.places()[batch.first + k]]);
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
    const NeighbourQuery s = neighbour_query(workspace, batch.first + k, t.cutoff, ranges);
    const auto node = static_cast<std::size_t>(s.ids[s.place]);
    T *values = workspace.values.data() + product(k, t.inputs, t.field_width);
    std::copy_n(fields_.data() + node * static_cast<std::size_t>(t.field_width), t.field_width, values);
    std::fill_n(values + t.field_width, product(t.shells, t.field_width), T(0));
    kernels_.sum_shells(shell_sums(workspace), s, values + t.field_width);
    std::copy_n(direct_.data() + node * static_cast<std::size_t>(t.members), t.members,
                workspace.direct.data() + product(k, t.members));
  }
  kernels_.read_out(readout(workspace, batch.species), n, workspace.values.data(), workspace.direct.data(),
                                 workspace.members.data());
  for (int k = 0; k < n; ++k) {
    const auto node = static_cast<std::size_t>(grid_.ids()[order_.places()[batch.first + k]]);
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
  const bool stiff = tables_.stiffness;
  const int fields = stiff ? HOPS : 0;
  threads_.run([&](int number) {
    SymGNNWorkspace<T> &workspace = workspaces_[static_cast<std::size_t>(number)];
    std::fill(workspace.least.begin(), workspace.least.end(), std::numeric_limits<double>::infinity());
    for_batches(number, [&](const Batch &batch) {
      if (stiff && index <= HOPS) stiffen(workspace, batch, index);
      if (index == fields) make_fields(workspace, batch);
      if (index > fields) read_out(workspace, batch);
    });
  });
  done_ = index + 1;
  if (index > fields) find_closest();
}

template <typename T> void NativeSymGNN<T>::find_closest()
{
  std::fill(closest_.begin(), closest_.end(), std::numeric_limits<double>::infinity());
  for (const SymGNNWorkspace<T> &workspace : workspaces_)
    for (int a = 0; a < tables_.n_species; ++a)
      for (int b = 0; b < tables_.n_species; ++b) {
        double &least = closest_[pair_of_species(a, b)];
        least =
            std::min(least, std::sqrt(workspace.least[product(a, tables_.n_species) + static_cast<std::size_t>(b)]));
      }
}

template <typename T> void NativeSymGNN<T>::pack(int n, const int *list, double *buffer) const
{
  const bool soft = tables_.stiffness && done_ <= HOPS;
  const int columns = soft ? 6 : n_fields();
  for (int k = 0; k < n; ++k, buffer += width()) {
    const T *row =
        soft ? stiffness_.softness(done_ - 1, list[k]) : fields_.data() + product(list[k], tables_.field_width);
    std::copy_n(row, columns, buffer);
    std::fill(buffer + columns, buffer + width(), 0.0);
  }
}

template <typename T> void NativeSymGNN<T>::unpack(int n, int first, const double *buffer)
{
  const bool soft = tables_.stiffness && done_ <= HOPS;
  const int columns = soft ? 6 : n_fields();
  for (int node = first; node < first + n; ++node, buffer += width()) {
    T *row = soft ? stiffness_.softness(done_ - 1, node) : fields_.data() + product(node, tables_.field_width);
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
  std::size_t sum = tables_.bytes() + stiffness_.bytes() + grid_.bytes() + order_.bytes() + fields_.bytes() +
                    direct_.bytes() + results_.bytes();
  for (const SymGNNWorkspace<T> &workspace : workspaces_) sum += workspace.bytes();
  return sum;
}

}    // namespace

std::unique_ptr<Engine> make_symgnn_engine(const ModelFile &file)
{
  const SymGNNModel model(file);
  if (file.metadata().dtype == "float64") return std::make_unique<NativeSymGNN<double>>(model);
  return std::make_unique<NativeSymGNN<float>>(model);
}

}    // namespace vitrify
