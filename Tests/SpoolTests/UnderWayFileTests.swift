import Glibc
import Spool
import TestSupport
import Testing

@Suite struct UnderWayFileTests {
    private static let now: Int64 = 1_795_143_600

    private func add(_ number: Int, to file: UnderWayFile, ends: Int64 = now + 900, now: Int64 = now) -> Int? {
        file.add(Array("call \(number)".utf8), bound: Int64(number) * 1_000, ends: ends, now: now)
    }

    private func numbers(_ calls: [UnderWayFile.Left]) -> [Int64] { calls.map { $0.bound / 1_000 }.sorted() }

    @Test func whatHasNotEndedIsThereAtTheNextStart() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let file = try UnderWayFile(path, now: Self.now)
            #expect(file.left == [] && file.unreadable == 0)
            let places = try (1...5).map { try #require(add($0, to: file)) }
            #expect(Set(places).count == 5)
            let progress = UnderWayFile.Progress(isSent: true, status: 200, firstByte: 1_700, output: 12)
            file.note(.init(status: 200, firstByte: 1_700, output: 3), at: places[1])
            file.note(progress, at: places[1])
            for place in places[3...] { file.end(place) }
            // Nothing is closed, as by a kill, and it is long ago.
            let second = try UnderWayFile(path, now: Self.now + 100_000)
            #expect(numbers(second.left) == [1, 2, 3])
            let call = try #require(second.left.first { $0.place == places[1] })
            #expect(call.call == Array("call 2".utf8) && call.progress == progress && call.stage == .underWay)
            #expect(call.bound == 2_000 && call.ends == Self.now + 900)
            #expect(second.left.filter { $0.place != places[1] }.allSatisfy { $0.progress == .init() })
        }
    }

    @Test func whatIsRecordedKeepsItsPlaceAsLongAsSomethingIsSetAsideForIt() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let first = try UnderWayFile(path, now: Self.now)
            for number in 1...4 { _ = try #require(add(number, to: first)) }
            let second = try UnderWayFile(path, now: Self.now)
            for call in second.left where call.bound >= 3_000 { second.end(call.place) }
            for call in second.left where call.bound == 2_000 { second.forget(call.place) }
            for call in second.left where call.bound == 1_000 { second.beginRecording(call.place) }
            // Of its own run nothing stays.
            second.end(try #require(add(9, to: second)))
            let third = try UnderWayFile(path, now: Self.now + 899)
            #expect(numbers(third.left) == [1, 3, 4])
            #expect(numbers(third.left.filter { $0.stage == .recorded }) == [3, 4])
            #expect(numbers(third.left.filter { $0.stage == .recording }) == [1])
            #expect(numbers(try UnderWayFile(path, now: Self.now + 900).left) == [1])
            #expect(numbers(try UnderWayFile(path, now: Self.now).left) == [1])
        }
    }

    /// What the pages hold after that nobody knows.
    @Test func whatWasWrittenBeforeTheMachineStartedAnewIsGivenUp() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let file = try UnderWayFile(path, now: Self.now, boot: 1)
            for number in 1...3 { _ = try #require(add(number, to: file)) }
            let next = try UnderWayFile(path, now: Self.now, boot: 2)
            #expect(next.left.isEmpty && next.unreadable == 3)
            #expect(try UnderWayFile(path, now: Self.now, boot: 2).unreadable == 0)
            #expect(UnderWayFile.bootMark() == UnderWayFile.bootMark())
        }
    }

    @Test func whatIsSetAsideForManyIsLeftAsOne() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let file = try UnderWayFile(path, now: Self.now)
            let place = try #require(
                file.addRecord(
                    Array("call".utf8), rest: 5_000, ends: Self.now + 60, isKept: true, now: Self.now))
            let left = try UnderWayFile(path, now: Self.now + 59).left
            #expect(left.map(\.place) == [place] && left[0].stage == .recorded && left[0].bound == 5_000)
            #expect(try UnderWayFile(path, now: Self.now + 60).left.isEmpty)
        }
    }

    @Test func aRecordThatIsToBeKeptStaysUntilItIsAndThenAsLongAsMoreMayCome() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let file = try UnderWayFile(path, now: Self.now)
            let progress = UnderWayFile.Progress(isSent: true, status: 200, firstByte: 5, output: 7)
            let own = try #require(
                file.add(Array("own".utf8), bound: 9_000, ends: Self.now + 60, progress: progress, now: Self.now))
            #expect(!file.isLeft(own))
            let places = try [0, 4_000].map {
                try #require(
                    file.addRecord([1], rest: $0, ends: Self.now + 60, isKept: false, now: Self.now))
            }
            #expect(places.allSatisfy(file.isLeft))
            let left = try UnderWayFile(path, now: Self.now + 1_000).left
            #expect(left.count == 3 && left.filter { $0.stage == .recording }.map(\.place).sorted() == places.sorted())
            #expect(left.first { $0.place == own }?.progress == progress)
            for place in places { file.end(place) }
            // Those who end it may say that they forget it, too, and somebody else have its place by then.
            let other = try #require(file.add([2], bound: 1, ends: 0, now: Self.now))
            #expect(!places.contains(other))
            file.forget(places[0])
            let rest = try UnderWayFile(path, now: Self.now).left.filter { $0.place != own && $0.place != other }
            #expect(rest.map(\.place) == [places[1]] && rest[0].stage == .recorded && rest[0].bound == 4_000)
        }
    }

    @Test func aBoundBelowNothingIsNoCall() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            #expect(try UnderWayFile(path, now: Self.now).add([1], bound: -1, ends: 0, now: 0) != nil)
            let file = try UnderWayFile(path, now: Self.now)
            #expect(file.left.isEmpty && file.unreadable == 1)
        }
    }

    /// Progress has no checksum: a gateway that comes upon it must neither trap nor believe it.
    @Test(arguments: [(16, Int64.min), (16, -1), (24, Int64.min), (24, 1 << 50), (8, 7 << 32), (8, 5_000 << 32)])
    func progressBeyondBeliefIsNoCall(_ offset: Int, _ value: Int64) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let place = try #require(add(1, to: try UnderWayFile(path, now: Self.now)))
            let descriptor = open(path, O_WRONLY)
            defer { close(descriptor) }
            let bytes = withUnsafeBytes(of: value) { Array($0) }
            #expect(pwrite(descriptor, bytes, 8, off_t(place * 2_048 + offset)) == 8)
            let file = try UnderWayFile(path, now: Self.now)
            #expect(file.left.isEmpty && file.unreadable == 1)
        }
    }

    @Test func whereThereIsNoRoomACallGoesUnwritten() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            let before = try UnderWayFile(path, now: Self.now)
            for number in 1...3 { _ = try #require(add(number, to: before)) }
            let file = try UnderWayFile(path, now: Self.now)
            let long = [UInt8](repeating: 1, count: UnderWayFile.callBytes)
            let place = try #require(file.add(long, bound: 1, ends: 0, now: 0))
            #expect(file.add(long + [1], bound: 1, ends: 0, now: 0) == nil)
            file.end(place)
            for call in file.left.prefix(2) { file.end(call.place) }
            let places = (1...UnderWayFile.places).compactMap { add($0, to: file) }
            #expect(Set(places).count == UnderWayFile.places - 3)
            file.end(places[7])
            #expect(add(0, to: file) == places[7])
            #expect(add(0, to: file) == nil)
            // What was set aside for two of an earlier run is over; the third is not recorded.
            #expect((0..<4).compactMap { add($0, to: file, now: Self.now + 900) }.count == 2)
        }
    }

    @Test func whatNoGatewayWroteIsNoCall() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/under-way"
            var random = SeededGenerator(seed: 7)
            let bytes = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
            #expect(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
            let file = try UnderWayFile(path, now: Self.now)
            #expect(file.left == [] && file.unreadable > 30)
            let places = try (1...UnderWayFile.places).map { try #require(add($0, to: file)) }
            // Half a page was written when the power failed.
            let torn = try UnderWayFile(path, now: Self.now).left.first { $0.place == places[0] }
            #expect(torn?.call == Array("call 1".utf8))
            #expect(pwrite(descriptor, "call 7", 6, off_t(places[0] * 2_048 + 2_048 - UnderWayFile.callBytes)) == 6)
            close(descriptor)
            #expect(numbers(try UnderWayFile(path, now: Self.now).left) == (2...Int64(UnderWayFile.places)).map { $0 })
            let failure = #expect(throws: SpoolFailure.self) { try UnderWayFile("/proc/under-way", now: 0) }
            #expect(failure?.path == "/proc/under-way")
        }
    }
}
