// SPDX-License-Identifier: BSD-3-Clause
#include "symgnn/stiffness.h"

#include <algorithm>
#include <cmath>

namespace vitrify {

namespace {

// As in python/vitrify/symgnn/models/stiffness.py.
constexpr double SOFTEST = 0.15, LOWEST = -1.0, LOWEST_OF_LOG = 0.05;
constexpr double THIRD_OF_TURN = 2.0943951023931953;

// Row and column of each of the six.
constexpr int ROWS[6] = {0, 1, 2, 0, 0, 1}, COLUMNS[6] = {0, 1, 2, 1, 2, 2};
constexpr int PLACES[3][3] = {{0, 3, 4}, {3, 1, 5}, {4, 5, 2}};

// The product of two tensors that commute, which is a tensor again.
void multiply(const double a[6], const double b[6], double to[6])
{
  for (int k = 0; k < 6; ++k) {
    to[k] = 0.0;
    for (int q = 0; q < 3; ++q) to[k] += a[PLACES[ROWS[k]][q]] * b[PLACES[q][COLUMNS[k]]];
  }
}

double determinant(const double t[6])
{ return t[0] * (t[1] * t[2] - t[5] * t[5]) - t[3] * (t[3] * t[2] - t[5] * t[4]) + t[4] * (t[3] * t[5] - t[1] * t[4]); }

void invert(const double t[6], double to[6])
{
  const double scale = 1.0 / determinant(t);
  to[0] = (t[1] * t[2] - t[5] * t[5]) * scale;
  to[1] = (t[0] * t[2] - t[4] * t[4]) * scale;
  to[2] = (t[0] * t[1] - t[3] * t[3]) * scale;
  to[3] = (t[4] * t[5] - t[3] * t[2]) * scale;
  to[4] = (t[3] * t[5] - t[4] * t[1]) * scale;
  to[5] = (t[3] * t[4] - t[0] * t[5]) * scale;
}

}    // namespace

// The roots of the characteristic polynomial as cosines (F. Vieta; O. K. Smith, Commun. ACM 4, 168 (1961)).
void eigenvalues(const double t[6], double values[3])
{
  const double mean = (t[0] + t[1] + t[2]) / 3.0;
  double rest[6], square = 0.0;
  for (int k = 0; k < 6; ++k) {
    rest[k] = k < 3 ? t[k] - mean : t[k];
    square += (k < 3 ? 1.0 : 2.0) * rest[k] * rest[k];
  }
  const double size = std::sqrt(square / 6.0);
  if (!(size > 0.0)) {
    std::fill_n(values, 3, mean);
    return;
  }
  for (double &one : rest) one /= size;
  const double angle = std::acos(std::clamp(0.5 * determinant(rest), -1.0, 1.0)) / 3.0;
  values[2] = mean + 2.0 * size * std::cos(angle);
  values[0] = mean + 2.0 * size * std::cos(angle + THIRD_OF_TURN);
  values[1] = 3.0 * mean - values[0] - values[2];
}

void compliance_of(const double stiffness[6], double compliance[6])
{
  double squares[6], inverse[6];
  multiply(stiffness, stiffness, squares);
  for (int k = 0; k < 3; ++k) squares[k] += SOFTEST * SOFTEST;
  invert(squares, inverse);
  multiply(stiffness, inverse, compliance);
}

void describe_stiffness(const double stiffness[6], double descriptors[ORDER_DESCRIPTORS])
{
  double values[3];
  eigenvalues(stiffness, values);
  for (int k = 0; k < 3; ++k) {
    descriptors[k] = std::max(values[k], LOWEST);
    descriptors[3 + k] = std::log(std::max(values[k], LOWEST_OF_LOG));
  }
}

void describe_bonds(const double sums[19], double descriptors[BOND_DESCRIPTORS], double stiffness[6])
{
  for (int k = 0; k < 6; ++k) stiffness[k] = sums[7 + k] + sums[13 + k];
  descriptors[0] = sums[0];
  for (int part = 0; part < 3; ++part) eigenvalues(sums + 1 + 6 * part, descriptors + 1 + 3 * part);
  describe_stiffness(stiffness, descriptors + 10);
}

}    // namespace vitrify
