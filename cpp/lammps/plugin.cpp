/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Registration of vitrify's styles with LAMMPS, and nothing else
------------------------------------------------------------------------- */

#include "lammps/generation/create_glass.h"
#include "lammps/glassvae/compute_glassvae_latent.h"
#include "lammps/glassvae/pair_glassvae.h"
#include "lammps/host/end_of_run.h"
#include "lammps/ogn/fix_ogn.h"
#include "lammps/symgnn/compute_symgnn_atom.h"

#include "error.h"
#include "input.h"
#include "library.h"
#include "modify.h"

// the interface of LAMMPS for plugins: a source tree has its header, and the installed headers lack it

#if __has_include("lammpsplugin.h")
#include "lammpsplugin.h"
#else
extern "C" {
struct lammpsplugin_t {
  const char *version;
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  union {
    void *(*v1)(void *);
    void *(*v2)(void *, int, char **);
  } creator;
  void *handle;
};
using lammpsplugin_regfunc = void (*)(lammpsplugin_t *, void *);
}
#endif

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle, void *regfunc);

using namespace LAMMPS_NS;

/* ----------------------------------------------------------------------
   styles share class layouts with their host, so both must be of one build:
   checked when a style is created, as a plugin that is merely present does no harm
------------------------------------------------------------------------- */

static void check_host(LAMMPS *lmp)
{
  const int version = lammps_version(lmp);
  if (version != VITRIFY_LAMMPS_VERSION)
    lmp->error->all(
        FLERR, fmt::format("vitrify's plugin was built for LAMMPS version {}, but this is {}: install lammps of that "
                           "version, or build vitrify with -DLAMMPS_SOURCE_DIR=<this LAMMPS>",
                           VITRIFY_LAMMPS_VERSION, version));
  const int size = lammps_extract_setting(lmp, "tagint");
  if (size != static_cast<int>(sizeof(tagint)))
    lmp->error->all(
        FLERR, fmt::format("vitrify's plugin was built for {}-byte atom IDs, but this LAMMPS has {}-byte ones: build "
                           "vitrify with -DLAMMPS_SIZES={}",
                           sizeof(tagint), size, size == 8 ? "BIGBIG" : "SMALLBIG"));
}

template <typename Style> static void *create(void *lmp, int narg, char **arg)
{
  check_host(static_cast<LAMMPS *>(lmp));
  return new Style(static_cast<LAMMPS *>(lmp), narg, arg);
}

// a fix that replaces one with its ID has the place of that in LAMMPS's list, which is a hole if it cannot be made

template <typename Style> static void *create_fix(void *lmp, int narg, char **arg)
{
  try {
    return create<Style>(lmp, narg, arg);
  } catch (...) {
    Modify *modify = static_cast<LAMMPS *>(lmp)->modify;
    for (int i = modify->nfix - 1; i >= 0; i--)
      if (!modify->fix[i]) modify->delete_fix(i);
    throw;
  }
}

template <typename Style> static Command *create_command(LAMMPS *lmp)
{
  check_host(lmp);
  return new Style(lmp);
}

template <typename Style> static void *create_alone(void *lmp)
{
  check_host(static_cast<LAMMPS *>(lmp));
  return new Style(static_cast<LAMMPS *>(lmp));
}

void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  lammpsplugin_t plugin;
  plugin.version = VITRIFY_LAMMPS_DATE;
  plugin.author = "the vitrify developers";
  plugin.handle = handle;
  const auto enter = [&](const char *style, const char *name, const char *info) {
    plugin.style = style;
    plugin.name = name;
    plugin.info = info;
    reinterpret_cast<lammpsplugin_regfunc>(regfunc)(&plugin, lmp);
  };

  plugin.creator.v2 = &create_fix<FixOGN>;
  enter("fix", "ogn", "vitrify fix ogn");
  plugin.creator.v2 = &create_fix<FixEndOfRun>;
  enter("fix", FixEndOfRun::STYLE, "vitrify's summaries at the end of a run");
  plugin.creator.v2 = &create<ComputeSymGNNAtom>;
  enter("compute", "symgnn/atom", "vitrify compute symgnn/atom");
  plugin.creator.v2 = &create<ComputeGlassVAELatent>;
  enter("compute", "glassvae/latent", "vitrify compute glassvae/latent");
  plugin.creator.v1 = &create_alone<PairGlassVAE>;
  enter("pair", "glassvae", "vitrify pair_style glassvae");

  // commands outlive "clear", after which LAMMPS would register those of plugins a second time and warn;
  // in a LAMMPS of another version, the map may be elsewhere

  if (lammps_version(lmp) == VITRIFY_LAMMPS_VERSION) {
    (*static_cast<LAMMPS *>(lmp)->input->command_map)["create_glass"] = &create_command<CreateGlass>;
  } else {
    plugin.creator.v1 = &create_alone<CreateGlass>;
    enter("command", "create_glass", "vitrify create_glass");
  }
}
