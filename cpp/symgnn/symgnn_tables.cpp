// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/symgnn_tables.h"

#include "modelfile/tables.h"

#include <cmath>

namespace vitrify {

namespace {

// Rows of fields and a direct one for each member become the fields of all members, then the direct ones.
template <typename T> std::vector<T> fields_first(const std::vector<double> &values, int members, int fields, int width)
{
  const std::size_t columns = static_cast<std::size_t>(members) * (fields + 1), rows = values.size() / columns;
  std::vector<T> sorted(rows * static_cast<std::size_t>(width), T(0));
  for (std::size_t r = 0; r < rows; ++r)
    for (int m = 0; m < members; ++m) {
      const double *from = values.data() + r * columns + static_cast<std::size_t>(m) * (fields + 1);
      T *to = sorted.data() + r * static_cast<std::size_t>(width);
      for (int c = 0; c < fields; ++c) to[m * fields + c] = static_cast<T>(from[c]);
      to[members * fields + m] = static_cast<T>(from[fields]);
    }
  return sorted;
}

// The factors of `angular` in descriptors.inl: with P the associated Legendre functions over sin^m,
// Q_lm = sqrt(2 (l - m)! / (l + m)!) P_lm, without the 2 for m = 0.
template <typename T> std::vector<T> recursion_of(int degree)
{
  std::vector<T> factors;
  double first = 1.0;    // Q_mm
  for (int m = 0; m <= degree; ++m) {
    if (m > 0) first *= std::sqrt((2.0 * m - 1.0) / (2.0 * m)) * (m == 1 ? std::sqrt(2.0) : 1.0);
    factors.push_back(static_cast<T>(first));
    for (int l = m + 1; l <= degree; ++l) {
      const double away = static_cast<double>(l - m) * (l + m);
      factors.push_back(static_cast<T>((2.0 * l - 1.0) / std::sqrt(away)));
      factors.push_back(static_cast<T>(std::sqrt((l + m - 1.0) * (l - m - 1.0) / away)));
    }
  }
  return factors;
}

}    // namespace

template <typename T>
SymGNNTables<T>::SymGNNTables(const SymGNNModel &m, int lanes) :
    n_species(m.n_species), basis(m.basis), degree(m.degree), shells(m.shells), members(m.members), fields(m.fields),
    hidden(m.hidden), n_descriptors(m.n_descriptors), stiffness(m.stiffness),
    harmonics((m.degree + 1) * (m.degree + 1)), inputs(m.shells + 1), cutoff(m.cutoff), inner(m.inner), core(m.core),
    label_scale(m.label_scale), residual(m.residual), spread_gain(m.spread_gain), label_mean(m.label_mean)
{
  basis_width = rounded_up(basis, lanes);
  given_width = rounded_up(members * (fields + 1), lanes);
  field_width = rounded_up(members * fields, lanes);
  hidden_width = rounded_up(hidden, lanes);
  recursion = recursion_of<T>(m.degree);
  centre = converted<T>(m.centre);
  shell_scale = converted<T>(m.shell_scale);
  pair_table = m.pair_table;
  field_weight = fields_first<T>(m.field_weight, members, fields, given_width);
  field_bias = fields_first<T>(m.field_bias, members, fields, given_width);
  readout.fill(static_cast<std::size_t>(n_species) * inputs * field_width, T(0));
  for (int s = 0; s < n_species; ++s)
    for (int member = 0; member < members; ++member)
      for (int q = 0; q < inputs; ++q)
        for (int c = 0; c < fields; ++c) {
          const std::size_t from = ((static_cast<std::size_t>(s) * members + member) * inputs + q) * fields + c;
          const std::size_t to = (static_cast<std::size_t>(s) * inputs + q) * field_width + member * fields + c;
          readout[to] = static_cast<T>(m.readout[from]);
        }
  if (hidden == 0) return;
  first_weight = padded_rows<T>(m.first_weight, hidden, hidden_width);
  first_bias = padded_rows<T>(m.first_bias, hidden, hidden_width);
  last_weight = padded_rows<T>(m.last_weight, hidden, hidden_width);
}

template struct SymGNNTables<float>;
template struct SymGNNTables<double>;

}    // namespace vitrify
