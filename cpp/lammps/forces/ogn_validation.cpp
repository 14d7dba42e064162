/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/forces/ogn_validation.h"

#include "lammps/host/model_host.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

static constexpr double WARN_BEYOND = 2.0;    // times the error of the training data

/* ---------------------------------------------------------------------- */

OGNValidation::OGNValidation(LAMMPS *lmp, const ModelHost &_host, int _every, double _tolerance) :
    Pointers(lmp), host(_host), every(_every), tolerance(_tolerance), nstrides(0), rms_x(0.0), rms_v(0.0), worst(0.0),
    sum_x(0.0), sum_v(0.0), ncompared(0), nrun(0), warned(false)
{
}

/* ---------------------------------------------------------------------- */

bool OGNValidation::is_due()
{ return active() && nstrides++ % every == 0; }

/* ---------------------------------------------------------------------- */

void OGNValidation::keep(const double *dr, const double *dv)
{
  for (int i = 0; i < atom->nlocal; i++) {
    double *const kept = &predicted[NVALUES * static_cast<std::size_t>(i)];
    for (int k = 0; k < 3; k++) {
      kept[k] = atom->x[i][k] + dr[3 * static_cast<std::size_t>(i) + k];
      kept[k + 3] = atom->v[i][k] + dv[3 * static_cast<std::size_t>(i) + k];
    }
  }
}

/* ---------------------------------------------------------------------- */

void OGNValidation::compare()
{
  double mine[2] = {0.0, 0.0}, all[2];
  for (int i = 0; i < atom->nlocal; i++) {
    const double *const kept = &predicted[NVALUES * static_cast<std::size_t>(i)];
    double delta[3];
    for (int k = 0; k < 3; k++) {
      delta[k] = atom->x[i][k] - kept[k];
      const double dv = atom->v[i][k] - kept[k + 3];
      mine[1] += dv * dv;
    }
    domain->minimum_image(FLERR, delta);
    for (double component : delta) mine[0] += component * component;
  }
  MPI_Allreduce(mine, all, 2, MPI_DOUBLE, MPI_SUM, world);
  const double ncomponents = 3.0 * static_cast<double>(atom->natoms);
  rms_x = std::sqrt(all[0] / ncomponents);
  rms_v = std::sqrt(all[1] / ncomponents);
  sum_x += rms_x * rms_x;
  sum_v += rms_v * rms_v;
  ++ncompared;
  ++nrun;

  const double ratio = over_training();
  worst = std::max(worst, ratio);
  if (!(ratio > (tolerance > 0.0 ? tolerance : WARN_BEYOND))) return;
  const std::string what = fmt::format("fix ogn: at step {} {}; the model is not good here: go back to where it is, "
                                       "take such strides in MD, or train it "
                                       "on such states",
                                       update->ntimestep, describe());
  if (tolerance > 0.0) error->all(FLERR, fmt::format("{} (validate stops beyond {})", what, tolerance));
  if (comm->me == 0 && !warned) error->warning(FLERR, what);
  warned = true;
}

/* ----------------------------------------------------------------------
   the larger of two ratios: of positions and of velocities; 0 where the file does not tell its errors
------------------------------------------------------------------------- */

double OGNValidation::over_training() const
{
  const vitrify::Metadata &model = host.model;
  if (model.position_error <= 0.0 || model.velocity_error <= 0.0) return 0.0;
  return std::max(rms_x / model.position_error, rms_v / model.velocity_error);
}

/* ---------------------------------------------------------------------- */

std::string OGNValidation::describe() const
{
  const vitrify::Metadata &model = host.model;
  const std::string found = fmt::format("the prediction of the stride is off by {:.3g} in positions and {:.3g} in "
                                        "velocities (rms of a component)",
                                        rms_x, rms_v);
  if (over_training() == 0.0) return found;
  return fmt::format("{}, {:.2g} and {:.2g} times what it was after training", found, rms_x / model.position_error,
                     rms_v / model.velocity_error);
}

/* ---------------------------------------------------------------------- */

void OGNValidation::begin_run()
{
  nstrides = 0;
  warned = false;
  restart_sums();
}

/* ---------------------------------------------------------------------- */

void OGNValidation::restart_sums()
{
  nrun = 0;
  sum_x = sum_v = worst = 0.0;
}

/* ---------------------------------------------------------------------- */

std::string OGNValidation::end_run()
{
  if (nrun == 0) return "";
  const std::string found =
      fmt::format("{} strides were validated by MD, and the model was off by {:.3g} in positions and {:.3g} in "
                  "velocities (rms of a component)",
                  nrun, std::sqrt(sum_x / nrun), std::sqrt(sum_v / nrun));
  const double ratio = worst;
  restart_sums();
  if (ratio == 0.0) return found + "; the file does not tell what it was after training";
  return fmt::format("{}, at most {:.2g} times what it was after training", found, ratio);
}

/* ---------------------------------------------------------------------- */

void OGNValidation::copy(int i, int j)
{
  std::copy_n(&predicted[NVALUES * static_cast<std::size_t>(i)], NVALUES,
              &predicted[NVALUES * static_cast<std::size_t>(j)]);
}

/* ---------------------------------------------------------------------- */

int OGNValidation::pack(int i, double *buf) const
{
  std::copy_n(&predicted[NVALUES * static_cast<std::size_t>(i)], NVALUES, buf);
  return NVALUES;
}

/* ---------------------------------------------------------------------- */

int OGNValidation::unpack(int i, const double *buf)
{
  std::copy_n(buf, NVALUES, &predicted[NVALUES * static_cast<std::size_t>(i)]);
  return NVALUES;
}
