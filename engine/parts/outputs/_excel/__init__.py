"""How a workbook is made: what an author may write, cells, sheets, charts and the sheets that explain the others."""
