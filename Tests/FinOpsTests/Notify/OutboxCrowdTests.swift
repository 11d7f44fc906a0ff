import EventLog
import FinOps
import Testing

/// Many things to be told at once, or one by one within a short time.
@Suite struct OutboxCrowdTests {
    @Test func aThousandCrossingsAreFewMessages() throws {
        var scene = OutboxScene(settings: .init())
        var items = [scene.crossed("p", 100, at: 0)]
        var told = try scene.deliver(at: 0)
        items += (1..<1_000).map { scene.crossed("p\($0)", 100, at: 0) }
        var minutes = try #require(scene.next(at: 0).waitsUntil)
        var messages = 1
        while scene.outbox.depth > 0 {
            told += try scene.deliver(at: minutes)
            messages += 1
            if let until = scene.next(at: minutes).waitsUntil {
                #expect((until - minutes) * 60 > 0.99, "a second between two messages")
                minutes = until
            }
        }
        #expect(told == items && messages == 2)
    }

    @Test func ofWhatComesOneByOneEverMoreIsGathered() throws {
        var scene = OutboxScene(settings: .init())
        var seconds: [Int] = []
        var told = 0
        // Twenty a second, a minute long.
        for tick in 0..<1_200 {
            let minutes = Double(tick) / 1_200
            scene.crossed("p\(tick)", 100, at: minutes)
            guard scene.next(at: minutes).plan != nil else { continue }
            told += try scene.deliver(at: minutes).count
            seconds.append(tick / 20)
        }
        #expect(seconds == [0, 1, 3, 7, 15, 23, 31, 39, 47, 55])
        told += try scene.deliver(at: 2).count
        #expect(told == 1_200)
        // Then a few, of which the first leaves at once and the next after a second.
        scene.crossed("one", 100, at: 10)
        #expect(try scene.deliver(at: 10).count == 1)
        scene.crossed("other", 100, at: 10)
        #expect(scene.next(at: 10).waitsUntil.map { abs($0 - 10 - 1 / 60) < 0.001 } == true)
    }
}
