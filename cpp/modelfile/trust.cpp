// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/trust.h"

#include <cstdlib>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#ifndef VITRIFY_SHIPPED
#define VITRIFY_SHIPPED ""
#endif

namespace vitrify {

namespace {

constexpr std::size_t DIGITS = 64;
constexpr off_t MAX_LIST_SIZE = off_t(16) << 20;

// SHA-256 of the models that come with vitrify, from potentials/SHA256SUMS, with a space after each.
constexpr const char *SHIPPED = VITRIFY_SHIPPED;

bool may_be_read(const std::string &path)
{
  struct stat status{};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const bool own = status.st_uid == geteuid() || status.st_uid == 0;
  return own && (status.st_mode & S_IWOTH) == 0 && status.st_size <= MAX_LIST_SIZE;
}

}    // namespace

std::string trusted_list()
{
  const char *config = std::getenv("XDG_CONFIG_HOME");
  if (config && config[0] == '/') return std::string(config) + "/vitrify/trusted";
  const char *home = std::getenv("HOME");
  if (home && home[0] == '/') return std::string(home) + "/.config/vitrify/trusted";
  return "";
}

bool is_trusted(const std::string &sha256)
{
  if (sha256.size() != DIGITS) return false;
  if (std::string(SHIPPED).find(sha256) != std::string::npos) return true;
  const std::string path = trusted_list();
  if (path.empty() || !may_be_read(path)) return false;
  std::ifstream list(path);
  for (std::string line; std::getline(list, line);)
    if (line.compare(0, DIGITS, sha256) == 0 && (line.size() == DIGITS || line[DIGITS] == ' ')) return true;
  return false;
}

}    // namespace vitrify
