import Foundation
import TestSupport
import Testing

@testable import Projections

@Suite struct CellTableTests {
    private func cell(_ id: Int64, requests: Int64 = 1) -> Cell {
        Cell(id: id, day: 1, requests: requests, cost: nil, terms: 1, position: id, observed: 1)
    }

    private func withTable(_ body: (CellTable, Connection) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: path) }  // Where the build made none, there is none.
        let connection = try Connection.forBuild(path)
        try connection.execute(ProjectionSchema.tables)
        try body(try CellTable(connection.handle), connection)
    }

    @Test(arguments: [1, 15, 16, 17, 4_095, 4_096, 5_000])
    func whatGatheredIsWrittenWholeInWhateverOrderItCame(count: Int) throws {
        try withTable { table, connection in
            var random = SeededGenerator(seed: UInt64(count))
            let ids = (1...Int64(count)).shuffled(using: &random)
            for id in ids {
                try table.append(
                    cell(id), detail: id % 7 == 0 ? Array(repeating: 1, count: CellTable.detailColumns.count) : nil)
            }
            try table.flush()
            let written = try Statement(connection.handle, "SELECT \(Cell.columns) FROM cell ORDER BY id")
                .rows([], Cell.init(row:))
            #expect(written == ids.sorted().map { cell($0) })
            let details = try Statement(connection.handle, "SELECT count(*) FROM cell_detail").rows([]) {
                $0.integer(0)
            }
            #expect(details == [Int64(count / 7)])
        }
    }

    @Test func everyOtherAccessSeesWhatGathered() throws {
        try withTable { table, _ in
            try table.append(cell(1), detail: nil)
            #expect(try table.cell(1) == cell(1))
            try table.append(cell(2), detail: nil)
            #expect(try !table.insert(cell(2, requests: 5)))
            try table.append(cell(3), detail: nil)
            try table.replace(cell(3, requests: 5), detail: nil)
            #expect(try table.cell(3) == cell(3, requests: 5))
            try table.append(cell(4), detail: nil)
            try table.remove(4)
            #expect(try table.cell(4) == nil)
        }
    }

    @Test(arguments: [1, 16])
    func aCellThatWasNotNewIsAFailureAndNotASecondCell(count: Int) throws {
        try withTable { table, _ in
            for id in 1...Int64(count) { try table.append(cell(id), detail: nil) }
            try table.flush()
            for id in 1...Int64(count) { try table.append(cell(id), detail: nil) }
            #expect(throws: ProjectionFailure.self) { try table.flush() }
        }
    }
}
