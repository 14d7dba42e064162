// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/trust.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include <fcntl.h>
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

// Of a file that nobody else may write.
bool may_be_read(const struct stat &status)
{
  const bool own = status.st_uid == geteuid() || status.st_uid == 0;
  return S_ISREG(status.st_mode) && own && (status.st_mode & (S_IWOTH | S_IWGRP)) == 0 &&
         status.st_size <= MAX_LIST_SIZE;
}

// The contents of the list; empty if it does not count. What is checked is what is read, whatever the path becomes.
std::string read_list(const std::string &path)
{
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return "";
  std::string text;
  struct stat status{};
  if (fstat(file, &status) == 0 && may_be_read(status)) {
    text.resize(static_cast<std::size_t>(status.st_size));
    std::size_t done = 0;
    for (ssize_t count = 1; count > 0 && done < text.size();
         done += static_cast<std::size_t>(std::max<ssize_t>(count, 0)))
      count = read(file, &text[done], text.size() - done);
    text.resize(done);
  }
  close(file);
  return text;
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
  if (path.empty()) return false;
  std::istringstream list(read_list(path));
  for (std::string line; std::getline(list, line);)
    if (line.compare(0, DIGITS, sha256) == 0 && (line.size() == DIGITS || line[DIGITS] == ' ')) return true;
  return false;
}

}    // namespace vitrify
