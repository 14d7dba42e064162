/* SPDX-License-Identifier: GPL-2.0-only */
/* ----------------------------------------------------------------------
   Registration of vitrify's styles with LAMMPS, and nothing else
------------------------------------------------------------------------- */

#include "error.h"
#include "fix_ogn.h"
#include "library.h"

using namespace LAMMPS_NS;

// The installed headers of LAMMPS lack lammpsplugin.h; this is its interface.

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

__attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle, void *regfunc);
}

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

static void *create_fix_ogn(void *lmp, int narg, char **arg)
{
  check_host(static_cast<LAMMPS *>(lmp));
  return new FixOGN(static_cast<LAMMPS *>(lmp), narg, arg);
}

void lammpsplugin_init(void *lmp, void *handle, void *regfunc)
{
  lammpsplugin_t plugin;
  plugin.version = VITRIFY_LAMMPS_DATE;
  plugin.style = "fix";
  plugin.name = "ogn";
  plugin.info = "vitrify fix ogn";
  plugin.author = "the vitrify developers";
  plugin.creator.v2 = &create_fix_ogn;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc>(regfunc)(&plugin, lmp);
}
