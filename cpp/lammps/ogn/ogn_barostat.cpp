/* SPDX-License-Identifier: GPL-2.0-only */

#include "lammps/ogn/ogn_barostat.h"

#include "lammps/forces/pair_stress.h"
#include "lammps/host/model_host.h"
#include "lammps/ogn/ogn_restart.h"
#include "lammps/ogn/ogn_settings.h"

#include "atom.h"
#include "domain.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "kspace.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace LAMMPS_NS;

// LAMMPS makes ghosts of a box whose tilt is larger, but ever more of them

static constexpr double LARGEST_TILT = 0.75;    // over the edge that it leans along

/* ----------------------------------------------------------------------
   of the whole system: sum of m v v relative to the centre of mass, in energy units, and the velocity of this
------------------------------------------------------------------------- */

struct OGNBarostat::Kinetic {
  vitrify::Symmetric tensor;
  double centre[3];
};

/* ---------------------------------------------------------------------- */

static double modulus_of(const BarostatSettings &settings, const std::string &units)
{ return settings.modulus > 0.0 ? settings.modulus : vitrify::default_modulus(units); }

/* ---------------------------------------------------------------------- */

OGNBarostat::OGNBarostat(LAMMPS *lmp, ModelHost &_host, const OGNSettings &_settings, const std::string &owner) :
    Pointers(lmp), host(_host), settings(_settings), modulus(modulus_of(*_settings.barostat, _host.model.units)),
    law(make_law(*_settings.barostat)), stress(new PairStress(lmp, owner)), virial{}, given(0.0),
    wanted(_settings.barostat->pressure[0]), nchanges(0)
{
}

/* ---------------------------------------------------------------------- */

vitrify::CellRescaling OGNBarostat::make_law(const BarostatSettings &barostat) const
{
  std::optional<vitrify::CellRescaling> made;
  std::string message;
  host.attempt(message, [&] { made.emplace(barostat.shape, barostat.damp, modulus / force->nktv2p); });
  if (!made) error->all(FLERR, fmt::format("fix ogn: {}: {}", barostat.keyword, message));
  return *made;
}

/* ---------------------------------------------------------------------- */

int OGNBarostat::box_change() const
{
  const int lengths = Fix::BOX_CHANGE_X | Fix::BOX_CHANGE_Y | Fix::BOX_CHANGE_Z;
  const int tilts = Fix::BOX_CHANGE_YZ | Fix::BOX_CHANGE_XZ | Fix::BOX_CHANGE_XY;
  return law.shape() == vitrify::BoxShape::TRI ? lengths | tilts : lengths;
}

/* ---------------------------------------------------------------------- */

void OGNBarostat::check() const
{
  if (law.shape() == vitrify::BoxShape::TRI && !domain->triclinic)
    error->all(FLERR, "fix ogn: tri changes the tilts of a box, which this one does not have: use change_box all "
                      "triclinic, or aniso");
}

/* ---------------------------------------------------------------------- */

std::string OGNBarostat::describe() const
{
  const BarostatSettings &barostat = *settings.barostat;
  const std::array<double, 2> bath = settings.bath_temperatures();
  return fmt::format("{} from {} to {}, damp {}, modulus {}, temperature {} to {}; the box changes {} by "
                     "the pressure of the pair style",
                     barostat.keyword, barostat.pressure[0], barostat.pressure[1], barostat.damp, modulus, bath[0],
                     bath[1], barostat.every == 1 ? "in each stride" : fmt::format("every {} strides", barostat.every));
}

/* ---------------------------------------------------------------------- */

bool OGNBarostat::is_due(bigint step) const
{ return step % settings.barostat->every == 0; }

/* ----------------------------------------------------------------------
   a value that goes from ends[0] to ends[1] over a run, as those of LAMMPS's own fixes
------------------------------------------------------------------------- */

double OGNBarostat::now(const double *ends) const
{
  const double whole = static_cast<double>(update->endstep - update->beginstep);
  const double passed = static_cast<double>(update->ntimestep - update->beginstep);
  return ends[0] + (whole > 0.0 ? passed / whole : 0.0) * (ends[1] - ends[0]);
}

/* ---------------------------------------------------------------------- */

void OGNBarostat::init()
{ stress->ask(update->ntimestep); }

/* ---------------------------------------------------------------------- */

void OGNBarostat::end_of_stride()
{
  const bigint step = update->ntimestep, every = settings.barostat->every;
  if (is_due(step)) virial = stress->virial();
  stress->ask(step - step % every + every);
}

/* ---------------------------------------------------------------------- */

OGNBarostat::Kinetic OGNBarostat::kinetic() const
{
  double mine[10] = {}, all[10];    // m v v, m v and m
  for (int i = 0; i < atom->nlocal; i++) {
    const double *v = atom->v[i];
    const double mass = atom->mass[atom->type[i]];
    const double products[6] = {v[0] * v[0], v[1] * v[1], v[2] * v[2], v[0] * v[1], v[0] * v[2], v[1] * v[2]};
    for (int k = 0; k < 6; k++) mine[k] += mass * products[k];
    for (int k = 0; k < 3; k++) mine[6 + k] += mass * v[k];
    mine[9] += mass;
  }
  MPI_Allreduce(mine, all, 10, MPI_DOUBLE, MPI_SUM, world);
  Kinetic found;
  for (int k = 0; k < 3; k++) found.centre[k] = all[6 + k] / all[9];
  const double *c = found.centre;
  const double products[6] = {c[0] * c[0], c[1] * c[1], c[2] * c[2], c[0] * c[1], c[0] * c[2], c[1] * c[2]};
  for (int k = 0; k < 6; k++) found.tensor[k] = force->mvv2e * (all[k] - all[9] * products[k]);
  return found;
}

/* ---------------------------------------------------------------------- */

bool OGNBarostat::change_box()
{
  const BarostatSettings &barostat = *settings.barostat;
  if (!is_due(update->ntimestep - 1)) return false;
  const vitrify::Matrix3 cell{vitrify::Vector3{domain->xprd, 0.0, 0.0}, vitrify::Vector3{domain->xy, domain->yprd, 0.0},
                              vitrify::Vector3{domain->xz, domain->yz, domain->zprd}};
  const double volume = domain->xprd * domain->yprd * domain->zprd;
  const Kinetic motion = kinetic();
  vitrify::Symmetric pressure;
  for (int k = 0; k < 6; k++) pressure[k] = (motion.tensor[k] + virial[k]) / volume;
  wanted = now(barostat.pressure);
  const double kT = force->boltz * now(settings.bath_temperatures().data());
  const vitrify::Symmetric noise = vitrify::box_noise(static_cast<uint64_t>(update->ntimestep),
                                                      static_cast<uint64_t>(barostat.every), settings.barostat_seed());
  vitrify::CellChange change;
  std::string message;
  host.attempt(message, [&] {
    change = law.change(cell, pressure, wanted / force->nktv2p, kT, barostat.every * update->dt, noise);
  });
  if (!message.empty())
    error->all(FLERR, fmt::format("fix ogn: {} at step {}: {}", barostat.keyword, update->ntimestep, message));

  // ranks would part for good if a sum of theirs differed in its last digit

  MPI_Bcast(&change, sizeof(change), MPI_BYTE, 0, world);
  given += vitrify::energy_of_change(change, motion.tensor, virial);
  apply(change, motion);
  ++nchanges;
  check_box();
  return true;
}

/* ----------------------------------------------------------------------
   about the middle of the box, as LAMMPS's barostats
------------------------------------------------------------------------- */

void OGNBarostat::apply(const vitrify::CellChange &change, const Kinetic &motion)
{
  domain->x2lamda(atom->nlocal);
  for (int k = 0; k < 3; k++) {
    const double middle = 0.5 * (domain->boxlo[k] + domain->boxhi[k]);
    domain->boxlo[k] = middle - 0.5 * change.cell[k][k];
    domain->boxhi[k] = middle + 0.5 * change.cell[k][k];
  }
  if (domain->triclinic) {
    domain->xy = change.cell[1][0];
    domain->xz = change.cell[2][0];
    domain->yz = change.cell[2][1];
  }
  domain->set_global_box();
  domain->set_local_box();
  domain->lamda2x(atom->nlocal);
  if (force->kspace) force->kspace->setup();

  for (int i = 0; i < atom->nlocal; i++) {
    double *v = atom->v[i];
    const double relative[3] = {v[0] - motion.centre[0], v[1] - motion.centre[1], v[2] - motion.centre[2]};
    for (int j = 0; j < 3; j++) {
      v[j] = motion.centre[j];
      for (int k = 0; k < 3; k++) v[j] += relative[k] * change.velocities[k][j];
    }
  }
}

/* ---------------------------------------------------------------------- */

void OGNBarostat::check_box() const
{
  const std::string &keyword = settings.barostat->keyword;
  const double volume = domain->xprd * domain->yprd * domain->zprd;
  const double *range = host.model.validity.number_density;
  const std::string refusal =
      settings.guard ? vitrify::refuse_density(static_cast<double>(atom->natoms) / volume, range[0], range[1]) : "";
  if (!refusal.empty())
    error->all(FLERR, fmt::format("fix ogn: {} has changed the box until, at step {}, {}: check the pressure, or go on "
                                  "with guard no",
                                  keyword, update->ntimestep, refusal));
  host.check_box();
  if (law.shape() != vitrify::BoxShape::TRI) return;
  const double tilt = std::max({std::fabs(domain->xy) / domain->xprd, std::fabs(domain->xz) / domain->xprd,
                                std::fabs(domain->yz) / domain->yprd});
  if (tilt > LARGEST_TILT)
    error->all(FLERR, fmt::format("fix ogn: {} has tilted the box by {:.2g} of its edge at step {}: a liquid does not "
                                  "hold its shape: use iso",
                                  keyword, tilt, update->ntimestep));
}

/* ---------------------------------------------------------------------- */

void OGNBarostat::write_restart(OGNRestart &state) const
{
  state.nchanges = nchanges;
  state.energy_of_box = given;
}

/* ---------------------------------------------------------------------- */

void OGNBarostat::read_restart(const OGNRestart &state)
{
  nchanges = state.nchanges;
  given = state.energy_of_box;
}
