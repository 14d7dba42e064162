// SPDX-License-Identifier: BSD-3-Clause
#include "modelfile/archive.h"

#include "base/error.h"
#include "base/sha256.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vitrify {

namespace {

// Layout of the zip format (APPNOTE.TXT 4.3): all numbers little-endian, offsets within each structure.
constexpr std::string_view LOCAL_HEADER("PK\x03\x04", 4);
constexpr std::string_view DIRECTORY_ENTRY("PK\x01\x02", 4);
constexpr std::string_view DIRECTORY_END("PK\x05\x06", 4);
constexpr std::string_view DIRECTORY_LOCATOR_64("PK\x06\x07", 4);
constexpr std::size_t LOCAL_HEADER_SIZE = 30;
constexpr std::size_t DIRECTORY_ENTRY_SIZE = 46;
constexpr std::size_t DIRECTORY_END_SIZE = 22;
constexpr std::uint64_t UTF8_NAMES = 1 << 11;    // the one flag that changes nothing
constexpr std::uint64_t FILE_TYPE = 0170000, REGULAR_FILE = 0100000, IS_FOLDER = 0x10;

constexpr std::size_t MAX_FILE_SIZE = std::size_t(256) << 20;
constexpr std::size_t MAX_METADATA_SIZE = std::size_t(8) << 20;
constexpr std::size_t MAX_NAME_LENGTH = 512;
constexpr std::size_t MAX_ENTRIES = 4096;
constexpr std::ptrdiff_t MAX_DEPTH = 16;    // folders of a name

constexpr const char *REMEDY = ": make model files with `vitrify export`";

bool ends_with(std::string_view text, std::string_view suffix)
{ return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix; }

char lower(char letter)
{ return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

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

// Closes the file whatever happens.
struct Descriptor {
  explicit Descriptor(const std::string &path) : number(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  Descriptor(const Descriptor &) = delete;
  ~Descriptor()
  {
    if (number >= 0) close(number);
  }
  const int number;
};

}    // namespace

Archive::Archive(const std::string &path) : path_(path)
{
  read();
  list_entries();
}

void Archive::fail(const std::string &what) const
{ throw Error("model file " + path_ + " " + what); }

void Archive::fail_corrupt(const std::string &where) const
{ fail("is truncated or corrupt (" + where + "): copy it again"); }

void Archive::read()
{
  if (path_.find('\0') != std::string::npos) fail("has a NUL in its name: give another one");
  const Descriptor file(path_);
  struct stat status{};
  if (file.number < 0 || fstat(file.number, &status) != 0)
    fail(errno == ENOENT ? "does not exist" : std::string("cannot be read: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail("is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > MAX_FILE_SIZE)
    fail("has " + std::to_string(size) + " bytes, more than the " + std::to_string(MAX_FILE_SIZE) +
         " that a model file may have");
  data_.resize(size);
  for (std::size_t done = 0; done < size;) {
    const ssize_t count = ::read(file.number, &data_[done], size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(std::string("cannot be read: ") + std::strerror(errno));
    if (count == 0) fail("became shorter while it was read: copy it again");
    done += static_cast<std::size_t>(count);
  }
}

std::uint64_t Archive::number(std::size_t at, int bytes) const
{
  if (at > data_.size() || data_.size() - at < static_cast<std::size_t>(bytes)) fail_corrupt("end of file");
  std::uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = (value << 8) | static_cast<unsigned char>(data_[at + i]);
  return value;
}

bool Archive::has_signature(std::size_t at, std::string_view signature) const
{ return at <= data_.size() && std::string_view(data_).substr(at, signature.size()) == signature; }

void Archive::list_entries()
{
  if (data_.empty()) fail(std::string("is empty") + REMEDY);
  // Pickles of protocol 2 and later begin with byte 0x80 and the protocol; older torch.save files are such pickles.
  if (data_[0] == '\x80')
    fail(std::string("is a Python pickle, which could run any program, and no model file") + REMEDY);
  if (data_.compare(0, 2, "PK") != 0) fail(std::string("is not a model file (no zip archive)") + REMEDY);
  if (data_.size() < DIRECTORY_END_SIZE || !has_signature(0, LOCAL_HEADER)) fail_corrupt("first header");

  // Without a comment, the end of the directory is the end of the file: there is one place to look, and one directory.
  const std::size_t end = data_.size() - DIRECTORY_END_SIZE;
  if (!has_signature(end, DIRECTORY_END) || number(end + 20, 2) != 0) fail_corrupt("end of the directory");
  constexpr std::size_t LOCATOR_64_SIZE = 20;
  if (end >= LOCATOR_64_SIZE && has_signature(end - LOCATOR_64_SIZE, DIRECTORY_LOCATOR_64))
    fail(std::string("has no vitrify.json that vitrify has written (torch wrote the file: a checkpoint, weights or a "
                     "program)") +
         REMEDY);
  const std::uint64_t count = number(end + 10, 2), size = number(end + 12, 4), at = number(end + 16, 4);
  if (number(end + 4, 4) != 0 || number(end + 8, 2) != count || at > end || size != end - at)
    fail_corrupt("size of the directory");
  if (count > MAX_ENTRIES)
    fail("has " + std::to_string(count) + " entries, more than the " + std::to_string(MAX_ENTRIES) +
         " that a model file may have" + REMEDY);

  std::size_t directory = at, header = 0;
  for (std::uint64_t i = 0; i < count; ++i) read_entry(directory, end, header);
  if (directory != end || header != at) fail_corrupt("bytes that belong to no entry");
}

// Reads the entry of the directory at `directory`, whose header and content begin at `header`; moves both behind it.
void Archive::read_entry(std::size_t &directory, std::size_t end, std::size_t &header)
{
  const std::size_t own = directory;
  if (own > end || end - own < DIRECTORY_ENTRY_SIZE || !has_signature(own, DIRECTORY_ENTRY)) fail_corrupt("directory");
  const auto flags = number(own + 8, 2), method = number(own + 10, 2), crc = number(own + 16, 4);
  const auto packed = number(own + 20, 4), size = number(own + 24, 4);
  const std::size_t name_length = number(own + 28, 2), extra_length = number(own + 30, 2);
  const auto attributes = number(own + 38, 4);
  directory = own + DIRECTORY_ENTRY_SIZE + name_length + extra_length;
  if (directory > end) fail_corrupt("directory");
  const std::string name = data_.substr(own + DIRECTORY_ENTRY_SIZE, name_length);
  check_name(name);

  if (method != 0) fail("has a compressed record (" + name + ")" + REMEDY);
  if ((flags & ~UTF8_NAMES) != 0) fail("has an encrypted or streamed record (" + name + ")" + REMEDY);
  const auto type = (attributes >> 16) & FILE_TYPE;
  if ((type != 0 && type != REGULAR_FILE) || (attributes & IS_FOLDER) != 0)
    fail("has a folder or a link (" + name + ")" + REMEDY);
  if (extra_length != 0 || number(own + 32, 2) != 0 || number(own + 34, 2) != 0 || packed != size ||
      number(own + 42, 4) != header)
    fail_corrupt("directory at " + name);

  const std::size_t start = header + LOCAL_HEADER_SIZE + name_length;
  if (!has_signature(header, LOCAL_HEADER) || number(header + 6, 2) != flags || number(header + 8, 2) != method ||
      number(header + 14, 4) != crc || number(header + 18, 4) != packed || number(header + 22, 4) != size ||
      number(header + 26, 2) != name_length || number(header + 28, 2) != 0 ||
      data_.compare(header + LOCAL_HEADER_SIZE, name_length, name) != 0 || start > own || size > own - start)
    fail_corrupt("header of " + name);
  if (crc32(std::string_view(data_).substr(start, size)) != crc) fail_corrupt("CRC of " + name);
  header = start + size;
  entries_.push_back({name, start, static_cast<std::size_t>(size)});
}

// Torch looks for entries whatever their case, and others clean names up: what could be read in two ways is refused.
void Archive::check_name(const std::string &name)
{
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](char letter) { return letter > ' ' && letter <= '~' && letter != '\\'; });
  const std::string framed = "/" + name + "/";
  if (!plain || name.size() > MAX_NAME_LENGTH || std::count(name.begin(), name.end(), '/') > MAX_DEPTH ||
      name.find(':') != std::string::npos || framed.find("//") != std::string::npos ||
      framed.find("/./") != std::string::npos || framed.find("/../") != std::string::npos)
    fail("has an entry of the name \"" + name.substr(0, 80) + "\", which is not a plain one" + REMEDY);
  if (!index_.emplace(name, entries_.size()).second)
    fail("holds " + name + " twice, so readers could disagree" + REMEDY);
  for (std::size_t stop = 0; stop != std::string::npos;) {
    stop = name.find('/', stop + 1);
    const std::string path = name.substr(0, stop);
    std::string key = path;
    std::transform(key.begin(), key.end(), key.begin(), lower);
    const std::string &known = spellings_.emplace(key, path).first->second;
    if (known != path) fail("holds " + known + " and " + path + ", so readers could disagree" + REMEDY);
  }
  const std::string top = name.substr(0, name.find('/'));
  if (top.size() == name.size() || (!entries_.empty() && entries_[0].name.compare(0, top.size() + 1, top + "/") != 0))
    fail("has entries outside of one folder (" + name + ")" + REMEDY);
}

std::vector<std::string> Archive::names() const
{
  std::vector<std::string> names;
  for (const Entry &entry : entries_) names.push_back(entry.name);
  return names;
}

std::string_view Archive::content(const std::string &name) const
{
  const auto found = index_.find(name);
  if (found == index_.end()) fail("has no entry " + name + REMEDY);
  const Entry &entry = entries_[found->second];
  return std::string_view(data_).substr(entry.offset, entry.size);
}

std::string_view Archive::extra(const std::string &name) const
{
  if (entries_.empty()) return {};
  const std::string full = entries_[0].name.substr(0, entries_[0].name.find('/')) + "/extra/" + name;
  return has(full) ? content(full) : std::string_view();
}

std::string_view Archive::metadata_text() const
{
  const std::string_view text = extra("vitrify.json");
  if (text.size() > MAX_METADATA_SIZE) fail(std::string("has too much text in vitrify.json") + REMEDY);
  if (!text.empty()) return text;
  const auto any = [this](const char *suffix) {
    return std::any_of(entries_.begin(), entries_.end(),
                       [suffix](const Entry &entry) { return ends_with(entry.name, suffix); });
  };
  if (any("/constants.pkl")) fail(std::string("is TorchScript without vitrify.json, and no model of vitrify") + REMEDY);
  if (any("/data.pkl")) fail(std::string("is a torch.save file (a checkpoint or weights), and no model file") + REMEDY);
  fail(std::string("is a zip file of something else: it has no vitrify.json") + REMEDY);
}

std::string Archive::sha256() const
{ return vitrify::sha256(data_); }

}    // namespace vitrify
