// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/model_file.h"

#include "base/error.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <system_error>

namespace vitrify {

namespace {

// Layout of the zip format (APPNOTE.TXT 4.3 and 4.5.3): all numbers little-endian, offsets within each structure.
constexpr std::string_view LOCAL_HEADER("PK\x03\x04", 4);
constexpr std::string_view DIRECTORY_ENTRY("PK\x01\x02", 4);
constexpr std::string_view DIRECTORY_END("PK\x05\x06", 4);
constexpr std::string_view DIRECTORY_END_64("PK\x06\x06", 4);
constexpr std::string_view DIRECTORY_LOCATOR_64("PK\x06\x07", 4);
constexpr std::size_t LOCAL_HEADER_SIZE = 30;
constexpr std::size_t DIRECTORY_ENTRY_SIZE = 46;
constexpr std::size_t DIRECTORY_END_SIZE = 22;
constexpr std::size_t DIRECTORY_LOCATOR_64_SIZE = 20;
constexpr std::size_t MAX_COMMENT = 65535;
constexpr std::uint64_t IN_EXTRA_FIELD = 0xffffffff;

constexpr const char *METADATA_RECORD = "vitrify.json";
constexpr const char *WEIGHTS_RECORD = "weights.safetensors";

bool starts_with(std::string_view text, std::string_view prefix)
{ return text.substr(0, prefix.size()) == prefix; }

bool ends_with(std::string_view text, std::string_view suffix)
{ return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix; }

std::uint32_t crc32(std::string_view bytes)
{
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320U : 0U);
      entries[i] = value;
    }
    return entries;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const char byte : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return crc ^ 0xffffffffU;
}

}    // namespace

ModelFile::ModelFile(const std::string &path) : path_(path)
{
  read();
  list_records();
  // TorchScript keeps extra files in the folder "extra" of an archive whose records share one top folder.
  for (const Record &record : records_) {
    if (ends_with(record.name, std::string("/extra/") + METADATA_RECORD)) metadata_text_ = content(record);
    if (ends_with(record.name, std::string("/extra/") + WEIGHTS_RECORD)) native_weights_ = content(record);
  }
  if (metadata_text_.empty())
    fail("has no vitrify.json, so it was not written by vitrify: make model files with `vitrify "
         "export`");
  refuse_code_that_runs_while_loading();
  metadata_ = parse_metadata(metadata_text_, path_);
}

void ModelFile::fail(const std::string &what) const
{ throw Error("model file " + path_ + " " + what); }

void ModelFile::read()
{
  std::error_code code;
  const auto status = std::filesystem::status(path_, code);
  if (!std::filesystem::exists(status)) fail("does not exist");
  if (!std::filesystem::is_regular_file(status)) fail("is not a regular file");
  std::ifstream file(path_, std::ios::binary);
  if (!file) fail(std::string("cannot be opened: ") + std::strerror(errno));
  data_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (file.bad()) fail("cannot be read to its end");
}

std::uint64_t ModelFile::number(std::size_t at, int bytes) const
{
  if (at > data_.size() || data_.size() - at < static_cast<std::size_t>(bytes))
    fail("is truncated or corrupt: copy it again");
  std::uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = (value << 8) | static_cast<unsigned char>(data_[at + i]);
  return value;
}

std::string_view ModelFile::content(const Record &record) const
{ return std::string_view(data_).substr(record.offset, record.size); }

void ModelFile::list_records()
{
  const std::string_view data(data_);
  if (data.empty()) fail("is empty");
  // Pickles of protocol 2 and later begin with byte 0x80 and the protocol; older torch.save files are such pickles.
  if (data[0] == '\x80')
    fail("is a Python pickle, which could run any program: vitrify reads only files made by "
         "`vitrify export`");
  if (!starts_with(data, LOCAL_HEADER)) fail("is not a model file (no zip archive): make one with `vitrify export`");

  const std::size_t tail =
      data.size() > DIRECTORY_END_SIZE + MAX_COMMENT ? data.size() - DIRECTORY_END_SIZE - MAX_COMMENT : 0;
  const std::size_t end = data.rfind(DIRECTORY_END);
  if (end == std::string_view::npos || end < tail || end + DIRECTORY_END_SIZE + number(end + 20, 2) != data.size())
    fail("is truncated: copy it again");

  std::uint64_t count = number(end + 10, 2);
  std::uint64_t size = number(end + 12, 4);
  std::uint64_t at = number(end + 16, 4);
  const bool has_locator = end >= DIRECTORY_LOCATOR_64_SIZE &&
                           starts_with(data.substr(end - DIRECTORY_LOCATOR_64_SIZE), DIRECTORY_LOCATOR_64);
  if (has_locator) {
    const std::uint64_t end64 = number(end - DIRECTORY_LOCATOR_64_SIZE + 8, 8);
    number(end64, 4);    // fails if that is outside the file
    if (!starts_with(data.substr(end64), DIRECTORY_END_64)) fail("is corrupt: copy it again");
    count = number(end64 + 32, 8);
    size = number(end64 + 40, 8);
    at = number(end64 + 48, 8);
  }
  if (at > end || size > end - at) fail("is corrupt (central directory): copy it again");

  const std::size_t stop = at + size;
  std::size_t position = at;
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < count; ++i) {
    records_.push_back(read_directory_entry(position, stop));
    if (!names.insert(records_.back().name).second)
      fail("holds " + records_.back().name + " twice, so readers could disagree: make it with `vitrify export`");
  }
}

ModelFile::Record ModelFile::read_directory_entry(std::size_t &at, std::size_t end) const
{
  const std::string_view data(data_);
  if (at > end || end - at < DIRECTORY_ENTRY_SIZE || !starts_with(data.substr(at), DIRECTORY_ENTRY))
    fail("is corrupt (central directory): copy it again");
  const auto method = number(at + 10, 2);
  const auto crc = static_cast<std::uint32_t>(number(at + 16, 4));
  const auto compressed = number(at + 20, 4);
  std::uint64_t size = number(at + 24, 4);
  const std::size_t name_length = number(at + 28, 2);
  const std::size_t extra_length = number(at + 30, 2);
  const std::size_t comment_length = number(at + 32, 2);
  std::uint64_t header = number(at + 42, 4);

  const std::size_t extra = at + DIRECTORY_ENTRY_SIZE + name_length;
  if (extra + extra_length + comment_length > end) fail("is corrupt (central directory): copy it again");
  Record record;
  record.name = data.substr(at + DIRECTORY_ENTRY_SIZE, name_length);

  // Field 1 of the extra block holds, in this order, whichever of size, compressed size and offset did not fit.
  for (std::size_t field = extra; field + 4 <= extra + extra_length;) {
    const auto id = number(field, 2);
    const std::size_t length = number(field + 2, 2);
    if (id == 1) {
      std::size_t value = field + 4;
      if (size == IN_EXTRA_FIELD) size = number(value, 8), value += 8;
      if (compressed == IN_EXTRA_FIELD) value += 8;
      if (header == IN_EXTRA_FIELD) header = number(value, 8);
    }
    field += 4 + length;
  }
  at = extra + extra_length + comment_length;

  if (method != 0) fail("has a compressed record (" + record.name + "): make it with `vitrify export`");
  number(header, 4);    // fails if that is outside the file
  if (!starts_with(data.substr(header), LOCAL_HEADER)) fail("is corrupt (" + record.name + "): copy it again");
  record.offset = header + LOCAL_HEADER_SIZE + number(header + 26, 2) + number(header + 28, 2);
  record.size = size;
  if (record.offset > data.size() || record.size > data.size() - record.offset)
    fail("is truncated (" + record.name + "): copy it again");
  check_crc(record, crc);
  return record;
}

void ModelFile::check_crc(const Record &record, std::uint32_t expected) const
{
  if (crc32(content(record)) != expected) fail("is corrupt (checksum of " + record.name + " is wrong): copy it again");
}

void ModelFile::refuse_code_that_runs_while_loading() const
{
  bool has_code = false;
  for (const Record &record : records_) {
    const bool is_code = record.name.find("/code/") != std::string::npos && ends_with(record.name, ".py");
    has_code = has_code || is_code;
    const std::string_view text = content(record);
    if (is_code && text.find("__setstate__") != std::string_view::npos)
      fail("has code that runs while it is loaded (__setstate__ in " + record.name + "): not loaded");
    if ((is_code || ends_with(record.name, ".pkl")) && text.find("torch.classes") != std::string_view::npos)
      fail("uses custom C++ classes (" + record.name + "): not loaded");
  }
  if (!has_code) fail("holds no TorchScript program: make model files with `vitrify export`");
}

std::string find_model(const std::string &name, const std::vector<std::string> &shipped)
{
  namespace fs = std::filesystem;
  std::error_code code;
  if (fs::exists(name, code)) return name;

  std::vector<std::string> folders;
  if (const char *variable = std::getenv("LAMMPS_POTENTIALS")) {
    std::string_view rest(variable);
    while (!rest.empty()) {
      const std::size_t colon = rest.find(':');
      if (colon != 0) folders.emplace_back(rest.substr(0, colon));
      rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    }
  }
  folders.insert(folders.end(), shipped.begin(), shipped.end());

  std::string looked = "the working directory";
  for (const std::string &folder : folders) {
    const fs::path path = fs::path(folder) / name;
    if (fs::exists(path, code)) return path.string();
    looked += ", " + folder;
  }
  throw Error("model file " + name + " does not exist: looked in " + looked +
              "; give its path, or add its folder to LAMMPS_POTENTIALS");
}

}    // namespace vitrify
