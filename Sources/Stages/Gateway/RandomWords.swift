import Glibc

/// The system's random numbers, fetched a page at a time: one system call for each would be felt where every call needs an
/// id. What has been handed out is wiped. It belongs to one owner.
package struct RandomWords: RandomNumberGenerator, Sendable {
    private var words = [UInt64](repeating: 0, count: Self.count)
    private var used = Self.count
    /// getentropy(3) gives so many bytes at a time and no more.
    private static let count = 256 / MemoryLayout<UInt64>.size

    package init() {}

    package mutating func next() -> UInt64 {
        if used == words.count { fill() }
        defer {
            words[used] = 0
            used += 1
        }
        return words[used]
    }

    private mutating func fill() {
        used = 0
        let result = words.withUnsafeMutableBytes { getentropy($0.baseAddress!, $0.count) }
        guard result != 0 else { return }
        // Where it is forbidden the standard library knows other ways, or ends the program.
        var system = SystemRandomNumberGenerator()
        for place in words.indices { words[place] = system.next() }
    }
}
