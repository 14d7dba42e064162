/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   A class whose symbols LAMMPS exports: a source tree has its header, and the installed headers lack it
------------------------------------------------------------------------- */

#ifndef VITRIFY_LIST_REQUEST_H
#define VITRIFY_LIST_REQUEST_H

#if __has_include("neigh_request.h")
#include "neigh_request.h"
#else
namespace LAMMPS_NS {
class NeighRequest {
public:
  void set_cutoff(double);
};
}    // namespace LAMMPS_NS
#endif

#endif
