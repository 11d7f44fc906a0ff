import Glibc
import Spool
import TestSupport
import Testing

@Suite struct UnderWayFileTests {
    private static let now: Int64 = 1_795_143_600

    private func entry(_ number: Int, ends: Int64 = now + 900, project: String = "chat") -> UnderWayFile.Entry {
        .init(
            call: "call-\(number)", attempt: 2, started: Self.now * 1_000_000 + Int64(number), project: project,
            bound: Int64(number) * 1_000, ends: ends)
    }

    @Test func whatWasNotTakenOutIsThereAtTheNextStart() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            var file: UnderWayFile? = try UnderWayFile(path, now: Self.now)
            #expect(file?.left == [])
            let places = (1...5).map { file?.add(entry($0, project: "검색")) }
            #expect(Set(places).count == 5)
            for place in places.dropFirst(3) { file?.remove(try #require(place ?? nil)) }
            // Nothing is closed, as by a kill.
            let second = try UnderWayFile(path, now: Self.now)
            #expect(Set(second.left) == Set((1...3).map { entry($0, project: "검색") }))
            // Of an earlier run they stay for the next one.
            for number in 6...9 { #expect(second.add(entry(number)) != nil) }
            #expect(try UnderWayFile(path, now: Self.now).left.count == 7)
            #expect(try UnderWayFile(path, now: Self.now + 900).left == [])
            #expect(try UnderWayFile(path, now: Self.now).left == [])
            file = nil
        }
    }

    @Test func whereThereIsNoRoomACallGoesUnwritten() async throws {
        try await withTemporaryDirectory { directory in
            let file = try UnderWayFile(directory + "/under-way", now: Self.now)
            #expect(file.add(entry(1, project: String(repeating: "p", count: 300))) == nil)
            let places = (1...UnderWayFile.places).compactMap { file.add(entry($0)) }
            #expect(Set(places).count == UnderWayFile.places)
            #expect(file.add(entry(0)) == nil)
            file.remove(places[7])
            #expect(file.add(entry(0)) == places[7])
        }
    }

    @Test func whatNoGatewayWroteIsNoCall() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            var random = SeededGenerator(seed: 7)
            let bytes = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
            #expect(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
            close(descriptor)
            let file = try UnderWayFile(path, now: Self.now)
            #expect(file.left == [])
            #expect((1...UnderWayFile.places).compactMap { file.add(entry($0)) }.count == UnderWayFile.places)
            let failure = #expect(throws: SpoolFailure.self) { try UnderWayFile("/proc/under-way", now: 0) }
            #expect(failure?.path == "/proc/under-way")
        }
    }
}
