// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace vitrify {

/// Cuts a box with edges (or heights) `spans` into cells for the search of neighbours: `sizes` becomes how many stand
/// along each edge, at least one. A cell is `narrowest` wide or wider, and so wide that there are no more than `most`:
/// most of many cells would be empty where a system is sparse or long. `cutoff`: what an edge counts at least for that.
/// Returns the width, of which a cell may have up to twice along an edge that is short.
double choose_cell_sizes(const double (&spans)[3], double cutoff, double narrowest, double most, int (&sizes)[3]);

/// The volume that `choose_cell_sizes` spreads its cells over.
double volume_of(const double (&spans)[3], double cutoff);

}    // namespace vitrify
